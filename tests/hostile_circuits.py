"""Circuits that would take very much, or end the process, if anyone read them without looking."""

import io
import struct
from collections.abc import Iterator

from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter, ParameterVector

from aerlock.v1.values_pb2 import Circuit

_HEADER = struct.Struct("!HcHIIQIQI")
_FIELDS = (
    "name",
    "phase kind",
    "phase",
    "qubits",
    "clbits",
    "metadata",
    "registers",
    "instructions",
    "variables",
)
_HUGE = {"H": 2**16 - 1, "I": 2**32 - 1, "Q": 2**64 - 1}


def written(circuit: QuantumCircuit, version: int) -> bytes:
    """The circuit as QPY."""
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer, version=version)
    return buffer.getvalue()


def small() -> QuantumCircuit:
    """A circuit with registers, an instruction with a number, and one without."""
    circuit = QuantumCircuit(2, 1, name="small")
    circuit.rx(0.5, 0)
    circuit.measure(1, 0)
    return circuit


def _header_at(version: int) -> int:
    return 28 if version >= 16 else 20


def _with_header(data: bytes, at: int, **fields: int) -> bytes:
    values = dict(zip(_FIELDS, _HEADER.unpack_from(data, at), strict=True)) | fields
    return data[:at] + _HEADER.pack(*values.values()) + data[at + _HEADER.size :]


def _replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) >= 1, old
    return data.replace(old, new)


def _qpy_headers() -> Iterator[tuple[str, bytes]]:
    for version in (13, 18):
        data, at = written(small(), version), _header_at(version)
        for field, code in zip(_FIELDS, _HEADER.format.strip("!"), strict=True):
            if code != "c":
                yield f"{field}-{version}", _with_header(data, at, **{field: _HUGE[code]})


def _qpy_instructions() -> Iterator[tuple[str, bytes]]:
    data = written(small(), 17)
    rx = data.index(b"RXGate") - 33
    for name, at, code in (
        ("values", rx + 4, "H"),
        ("qargs", rx + 6, "I"),
        ("cargs", rx + 10, "I"),
        ("controls", rx + 25, "I"),
    ):
        huge = struct.pack(f"!{code}", _HUGE[code])
        yield f"instruction-{name}", data[:at] + huge + data[at + len(huge) :]
    size = struct.pack("!cQ", b"f", 8)
    yield "value-size", _replaced(data, size, struct.pack("!cQ", b"f", 2**63))
    for name in (
        "QuantumVolume",
        "EfficientSU2",
        "GroverOperator",
        "QuantumCircuit",
        "Instruction",
        "object",
    ):
        called = struct.pack("!H", len(name)) + data[rx + 2 : rx + 33] + name.encode()
        yield f"class-{name}", data[:rx] + called + data[rx + 33 + len("RXGate") :]


def _qpy_parts() -> Iterator[tuple[str, bytes]]:
    data = written(small(), 17)
    nothing = struct.pack("!IQ", 0, 0)  # no annotations and no definitions, before the instructions
    at = data.index(b"RXGate") - 33 - len(nothing)
    assert data[at : at + len(nothing)] == nothing
    for name, replacement in (
        ("annotations", struct.pack("!IQ", 2**32 - 1, 0)),
        ("annotation-state", struct.pack("!IIQQ", 1, 0, 2**63, 0)),
        ("definitions", struct.pack("!IQ", 0, 2**64 - 1)),
    ):
        yield name, data[:at] + replacement + data[at + len(nothing) :]
    vector = ParameterVector("v", 3)
    circuit = QuantumCircuit(1)
    circuit.rx(vector[1], 0)
    for version in (17, 18):
        data = written(circuit, version)
        element = struct.pack("!HQ", 1, 3)
        yield f"vector-{version}", _replaced(data, element, struct.pack("!HQ", 1, 2**60))
    theta = Parameter("a")
    circuit = QuantumCircuit(1)
    circuit.rx(2 * theta, 0)
    data = written(circuit, 17)
    yield "expression", _replaced(data, struct.pack("!QQ", 1, 35), struct.pack("!QQ", 1, 2**62))
    yield "symbols", _replaced(data, struct.pack("!QQ", 1, 35), struct.pack("!QQ", 2**62, 35))
    data = written(small(), 18)
    register = struct.pack("!c?IH??", b"q", True, 2, 1, True, True)
    yield "register", _replaced(data, register, struct.pack("!c?IH??", b"q", True, 2**32 - 1, 1, True, True))


def _qpy_nested() -> Iterator[tuple[str, bytes]]:
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test((0, 1)):
        circuit.x(0)
    for version in (17, 18):
        data = written(circuit, version)
        inner = data.rindex(_HEADER.pack(*_HEADER.unpack_from(data, _header_at(version)))[2:5])
        yield f"nested-qubits-{version}", _with_header(data, inner - 2, qubits=2**32 - 1)
    for _ in range(60):
        outer = QuantumCircuit(1, 1)
        outer.if_test((outer.clbits[0], 1), circuit, [0], [0])
        circuit = outer
    yield "nested-60", written(circuit, 18)


def hostile_qpy() -> dict[str, Circuit]:
    """QPY that says what it must not, by name."""
    found = [*_qpy_headers(), *_qpy_instructions(), *_qpy_parts(), *_qpy_nested()]
    return {f"qpy-{name}": Circuit(qpy=data) for name, data in found}


_QASM2 = 'OPENQASM 2.0; include "qelib1.inc"; '
_QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '
_LONG = 300_000

OPENQASM2 = {
    "register": "OPENQASM 2.0; qreg q[4000000000];",
    "registers": "OPENQASM 2.0; " + "".join(f"qreg q{at}[99999];" for at in range(100)),
    "register-behind-comment": 'OPENQASM 2.0; include "//"; qreg // q[1];\n q[4000000000];',
    "parentheses": _QASM2 + "qreg q[1]; rx(" + "(" * _LONG + "1" + ")" * _LONG + ") q[0];",
    "signs": _QASM2 + "qreg q[1]; rx(" + "-" * _LONG + "1) q[0];",
    "sum": _QASM2 + "qreg q[1]; rx(" + "1+" * _LONG + "1) q[0];",
    "sum-in-a-gate": _QASM2 + "gate g(a) x {rx(" + "a+" * _LONG + "1) x;} qreg q[1]; g(1) q[0];",
    "broadcast": _QASM2 + "qreg q[99999]; " + "h q;" * 1_000,
    "broadcast-of-two": _QASM2 + "qreg q[99999]; qreg r[1]; " + "cx r[0],q;" * 1_000,
    "file": 'OPENQASM 2.0; include "/etc/passwd";',
    "file-up": 'OPENQASM 2.0; include "../../../../../../etc/passwd";',
    "long": "OPENQASM 2.0; " + "barrier q;" * 2_000_000,
}
OPENQASM3 = {
    "register": "OPENQASM 3.0; qubit[1000000000] q;",
    "bits": "OPENQASM 3.0; bit[1000000000] c;",
    "old-register": "OPENQASM 3.0; qreg q[1000000000];",
    "product": "OPENQASM 3.0; qubit[1000*1000000] q;",
    "hexadecimal": "OPENQASM 3.0; qubit[0xffffffff] q;",
    "underscores": "OPENQASM 3.0; qubit[1_000_000_000] q;",
    "input": "OPENQASM 3.0; input int[999999999999] a;",
    "register-behind-comment": "OPENQASM 3.0; qubit /* [1] */ [1000000000] q;",
    "controls": _QASM3 + "qubit q; ctrl(1000000000) @ x q;",
    "parentheses": _QASM3 + "qubit q; rx(" + "(" * _LONG + "1" + ")" * _LONG + ") q;",
    "less-parentheses": _QASM3 + "qubit q; rx(" + "(" * 400 + "1" + ")" * 400 + ") q;",
    "power": _QASM3 + "qubit q; rx(9**9**9) q;",
    "blocks": _QASM3 + "qubit q; bit c; " + "if(c){" * 5_000 + "x q;" + "}" * 5_000,
    "digits": _QASM3 + "qubit q; rx(1" + "0" * 5_000 + ") q;",
    "broadcast": _QASM3 + "qubit[99999] q; " + "x q;" * 1_000,
    "broadcast-of-slices": _QASM3 + "qubit[99999] q; " + "x q[0:99998];" * 1_000,
    "file": 'OPENQASM 3.0; include "/etc/passwd";',
    "long": "OPENQASM 3.0; " + "x q;" * 400_000,
    "noise": "\x1b]0;title\x07 \x00 \ufffd" * 10,
}


def hostile_circuits() -> dict[str, Circuit]:
    """All of them, by name."""
    return (
        hostile_qpy()
        | {f"openqasm2-{name}": Circuit(openqasm2=text) for name, text in OPENQASM2.items()}
        | {f"openqasm3-{name}": Circuit(openqasm3=text) for name, text in OPENQASM3.items()}
    )
