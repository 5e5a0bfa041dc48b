"""What fuzzing begins with: sound inputs of each target, and the malformed ones that are known."""

import io
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from qiskit import QuantumCircuit, qpy, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import PauliEvolutionGate, UnitaryGate, efficient_su2
from qiskit.quantum_info import SparseObservable, SparsePauliOp
from vectors import files

from aerlock_executor.cell import frames

SAMPLES = Path(__file__).parent.parent / "unit" / "data" / "runtime_json_samples.json"


def _values() -> Iterator[bytes]:
    for vector in files.vectors():
        yield vector.value.SerializeToString()
    for invalid in files.invalid_vectors():
        yield invalid.data


def circuits() -> Iterator[QuantumCircuit]:
    """Circuits that have, together, every part that QPY knows."""
    circuit = QuantumCircuit(2, 2, metadata={"a": 1})
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    yield circuit
    yield transpile(circuit, basis_gates=["rz", "sx", "cx"], coupling_map=[[0, 1], [1, 2]])
    yield efficient_su2(2, reps=1)
    vector, theta = ParameterVector("v", 3), Parameter("θ")
    circuit = QuantumCircuit(2, global_phase=theta)
    circuit.rx((2 * theta).subs({theta: vector[0] + theta}).sin(), 0)
    circuit.rz(vector[1] ** 2 / vector[2], 1)
    yield circuit
    yield _with_control_flow()
    circuit = QuantumCircuit(2)
    evolution = PauliEvolutionGate([SparsePauliOp(["XX", "ZZ"]), SparseObservable("XY")], time=theta)
    circuit.append(evolution, [0, 1])
    circuit.append(UnitaryGate([[0, 1], [1, 0]]), [0])
    yield circuit
    inner = QuantumCircuit(2, name="inner")
    inner.h(0)
    circuit = QuantumCircuit(3)
    circuit.append(inner.to_gate().control(1), [0, 1, 2])
    circuit.append(inner.to_instruction(), [0, 1])
    yield circuit


def _with_control_flow() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    number = circuit.add_input("x", types.Uint(8))
    kept = circuit.add_var("y", expr.lift(5, types.Uint(8)))
    circuit.store(kept, expr.bit_and(number, kept))
    with circuit.if_test(expr.less(kept, 10)) as otherwise:
        circuit.x(0)
    with otherwise:
        circuit.h(1)
    angle = Parameter("angle")
    with circuit.for_loop(range(3), angle):
        circuit.rx(angle, 0)
    with circuit.while_loop((circuit.cregs[0], 1)):
        circuit.measure(0, 0)
    with circuit.switch(circuit.cregs[0]) as case:
        with case(0):
            circuit.x(0)
        with case(case.DEFAULT):
            circuit.delay(100, 0, "ns")
    circuit.barrier()
    return circuit


def _qpy() -> Iterator[bytes]:
    for circuit in circuits():
        for version in range(13, qpy.common.QPY_VERSION + 1):
            buffer = io.BytesIO()
            qpy.dump(circuit, buffer, version=version)
            yield buffer.getvalue()


def _openqasm2() -> Iterator[bytes]:
    yield b'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
    yield b"""OPENQASM 2.0;
include "qelib1.inc";
gate rot(a, b) x, y { rx(-sin(a) + b ^ 2 / pi) x; cx x, y; barrier x; }
opaque magic(a) x;
qreg q[3]; creg c[2]; // three
rot(0.5, 1e-3) q[0], q[1]; if (c == 1) x q; reset q[2];
"""


def _openqasm3() -> Iterator[bytes]:
    yield b'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
    yield b"""OPENQASM 3.0;
include "stdgates.inc";
input float a;
gate rot(b) x, y { rx(-b / 2 + pi) x; cx x, y; }
qubit[3] q; bit[2] c; let first = q[0:1];
rot(a) q[0], q[1]; ctrl @ inv @ x q[0], q[2]; /* a comment */
if (c == 1) { x q[0]; } else { h q[1]; }
for int i in [0:2] { x q[0]; }
delay[100ns] q[0]; reset q[1]; barrier q;
"""


def _runtime_json() -> Iterator[bytes]:
    samples = json.loads(SAMPLES.read_text())
    for sample in samples.values() if isinstance(samples, dict) else samples:
        yield json.dumps(sample).encode()
    yield json.dumps(samples).encode()[: 1 << 14]
    yield b'{"a": [1, -2.5e-3, NaN, Infinity, true, null, "\\u00e9\\ud83d\\ude80"], "1": {}}'


def _frames() -> Iterator[bytes]:
    yield b""
    yield frames.encode_frame(b"one")
    yield frames.encode_frame(b"x" * 200) + frames.encode_frame(b"y") + b"\x05\0\0"
    yield struct.pack("<I", 0) + b"z"
    yield struct.pack("<I", 2**32 - 1) + b"z"


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "value": _values,
    "blob": _values,
    "qpy": _qpy,
    "openqasm2": _openqasm2,
    "openqasm3": _openqasm3,
    "runtime_json": _runtime_json,
    "frames": _frames,
}
