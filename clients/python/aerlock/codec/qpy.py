"""Circuits to and from the wire: QPY of version 13 or newer, and OpenQASM text.

Qiskit is imported when the first circuit comes, so that a client without it can
use all else.
"""

# ruff: noqa: ANN401  (an object of any type may come)

import io
import struct
from typing import TYPE_CHECKING, Any, Final

from aerlock.v1 import values_pb2

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

OLDEST_QPY_VERSION: Final = 13
"""Older versions carry symbols in formats whose readers can be made to run code."""
MAX_QPY_BITS: Final = 100_000
"""Qubits, and classical bits, that the header of a circuit may announce."""

# QPY's file header: magic, version, three numbers of Qiskit's version, circuits, symbolic encoding, kind.
_FILE_HEADER: Final = struct.Struct("!6sBBBBQcc")
_FIRST_VERSION_WITH_TABLE: Final = 16
_TABLE_ENTRY: Final = struct.Struct("!Q")
# The circuit's header up to its bit counts: name size, global phase type and size, qubits, clbits.
_CIRCUIT_HEADER: Final = struct.Struct("!H1cHII")


def write_circuit(circuit: "QuantumCircuit", reader_version: int | None = None) -> bytes:
    """Writes ``circuit`` as QPY that a reader of QPY ``reader_version`` understands.

    Raises ValueError where QPY cannot hold it, or not in a version that the reader has.
    """
    from qiskit import qpy

    version = (
        qpy.common.QPY_VERSION if reader_version is None else min(reader_version, qpy.common.QPY_VERSION)
    )
    if version < max(OLDEST_QPY_VERSION, qpy.common.QPY_COMPATIBILITY_VERSION):
        raise ValueError(
            f"the reader has QPY {version}, which this Qiskit does not write any more:"
            " upgrade Qiskit on the server, or use an older one here"
        )
    buffer = io.BytesIO()
    try:
        qpy.dump(circuit, buffer, version=version)
    except Exception as error:
        raise ValueError(f"QPY cannot hold this circuit: {error}") from error
    return buffer.getvalue()


def read_circuit(circuit: values_pb2.Circuit) -> "QuantumCircuit":
    """Reads a circuit in any of its three forms.

    Raises ValueError for anything that is not one sound circuit, and ImportError
    that names the package to install where the reader is missing.
    """
    source = circuit.WhichOneof("source")
    try:
        if source == "qpy":
            return _load_qpy(circuit.qpy)
        return (
            _load_openqasm3(circuit.openqasm3)
            if source == "openqasm3"
            else _load_openqasm2(circuit.openqasm2)
        )
    except (ImportError, ValueError):
        raise
    except Exception as error:
        raise ValueError(f"the circuit cannot be read as {source}: {error}") from error


def check_qpy(data: bytes) -> None:
    """Refuses QPY that must not reach Qiskit's reader: old, several circuits, or absurd sizes."""
    if len(data) < _FILE_HEADER.size or not data.startswith(b"QISKIT"):
        raise ValueError("the circuit is not QPY: write it with qiskit.qpy.dump")
    _, version, _, _, _, count, _, kind = _FILE_HEADER.unpack_from(data)
    if version < OLDEST_QPY_VERSION:
        raise ValueError(f"QPY version {version} is refused: write version {OLDEST_QPY_VERSION} or newer")
    if count != 1 or kind != b"q":
        raise ValueError("QPY must hold exactly one circuit")
    try:
        start = _FILE_HEADER.size
        if version >= _FIRST_VERSION_WITH_TABLE:
            (start,) = _TABLE_ENTRY.unpack_from(data, start)
        _, _, _, qubits, clbits = _CIRCUIT_HEADER.unpack_from(data, start)
    except (struct.error, OverflowError) as error:
        raise ValueError("the circuit's QPY is cut short") from error
    if max(qubits, clbits) > MAX_QPY_BITS:
        raise ValueError(
            f"a circuit of {max(qubits, clbits):,} bits is refused: at most {MAX_QPY_BITS:,} are read"
        )


def _load_qpy(data: bytes) -> "QuantumCircuit":
    check_qpy(data)
    qpy: Any = _require_qiskit("qiskit.qpy")
    (circuit,) = qpy.load(io.BytesIO(data))
    return circuit


def _load_openqasm2(text: str) -> "QuantumCircuit":
    qasm2: Any = _require_qiskit("qiskit.qasm2")
    return qasm2.loads(text, include_path=())


def _load_openqasm3(text: str) -> "QuantumCircuit":
    qasm3: Any = _require_qiskit("qiskit.qasm3")
    from qiskit.exceptions import MissingOptionalLibraryError

    try:
        return qasm3.loads(text)
    except MissingOptionalLibraryError as error:
        raise ImportError(
            "reading OpenQASM 3 needs the package qiskit-qasm3-import: pip install qiskit-qasm3-import"
        ) from error


def _require_qiskit(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError("this value needs Qiskit to be read: pip install qiskit") from error
