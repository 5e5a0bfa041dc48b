"""Circuits to and from the wire: QPY of version 13 or newer, and OpenQASM text.

Qiskit is imported when the first circuit comes, so that a client without it can
use all else.
"""

# ruff: noqa: ANN401  (an object of any type may come)

import functools
import io
from collections.abc import Sequence
from json import JSONEncoder
from typing import TYPE_CHECKING, Any, Final

from aerlock.codec.circuit_notes import BASES, all_circuits
from aerlock.codec.openqasm import read_openqasm2, read_openqasm3
from aerlock.codec.panics import is_failure
from aerlock.codec.qpy_layout import (
    MAX_QPY_BITS,
    NEWEST_QPY_VERSION,
    OLDEST_QPY_VERSION,
    WITH_OBSERVABLES,
)
from aerlock.codec.qpy_names import CLASSES
from aerlock.codec.qpy_structure import check_structure, join_files
from aerlock.v1 import values_pb2

__all__ = [
    "MAX_QPY_BITS",
    "OLDEST_QPY_VERSION",
    "check_qpy",
    "read_circuit",
    "read_circuits",
    "write_circuit",
]

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


_WITH_ANCILLAS: Final = 18


def write_circuit(
    circuit: "QuantumCircuit",
    reader_version: int | None = None,
    metadata_serializer: type[JSONEncoder] | None = None,
) -> bytes:
    """Writes ``circuit`` as QPY that a reader of QPY ``reader_version`` understands.

    Raises ValueError where QPY cannot hold it, or not in a version that the reader has.
    """
    from qiskit import qpy

    newest = newest_version()
    version = newest if reader_version is None else min(reader_version, newest)
    if version < max(OLDEST_QPY_VERSION, qpy.common.QPY_COMPATIBILITY_VERSION):
        raise ValueError(
            f"the reader has QPY {version}, which this Qiskit does not write any more:"
            " upgrade Qiskit on the server, or use an older one here"
        )
    if version < _WITH_ANCILLAS and any(inner.ancillas for inner in all_circuits(circuit)):
        raise ValueError(f"an AncillaRegister needs QPY {_WITH_ANCILLAS}{upgrade_cure(version)}")
    # Older versions have no place for one, and Qiskit writes it all the same.
    if version < WITH_OBSERVABLES and any(map(_evolves_observable, all_circuits(circuit))):
        raise ValueError(
            f"the evolution of a SparseObservable needs QPY {WITH_OBSERVABLES}{upgrade_cure(version)}"
        )
    buffer = io.BytesIO()
    try:
        qpy.dump(circuit, buffer, metadata_serializer=metadata_serializer, version=version)
    except BaseException as error:
        if not is_failure(error):
            raise
        raise ValueError(f"QPY cannot hold this circuit: {error}{upgrade_cure(version)}") from error
    return buffer.getvalue()


def _evolves_observable(circuit: "QuantumCircuit") -> bool:
    """Tells whether the circuit itself has such a gate, controlled or modified or not."""
    from qiskit.quantum_info import SparseObservable

    for instruction in circuit.data:
        operation: Any = None if instruction.is_standard_gate() else instruction.operation
        while operation is not None:
            operators = getattr(operation, "operator", None)
            for one in operators if isinstance(operators, list) else [operators]:
                if isinstance(one, SparseObservable):
                    return True
            operation = next((getattr(operation, base) for base in BASES if hasattr(operation, base)), None)
    return False


def upgrade_cure(version: int) -> str:
    """What to add to an error about a circuit in a version that is not the newest."""
    if version >= newest_version():
        return ""
    return f" (in QPY {version}, the newest that its reader has: upgrade Qiskit there)"


def newest_version() -> int:
    """The newest version that is written and read here."""
    from qiskit import qpy

    return int(min(qpy.common.QPY_VERSION, NEWEST_QPY_VERSION))


def read_circuit(circuit: values_pb2.Circuit) -> "QuantumCircuit":
    """Reads a circuit in any of its three forms.

    Raises ValueError for anything that is not one sound circuit, and ImportError
    that names the package to install where the reader is missing.
    """
    source = circuit.WhichOneof("source")
    try:
        if source == "qpy":
            return load_qpy(circuit.qpy)
        _require_qiskit("qiskit")
        if source == "openqasm3":
            return read_openqasm3(circuit.openqasm3)
        return read_openqasm2(circuit.openqasm2)
    except (ImportError, ValueError, MemoryError):
        raise
    except BaseException as error:
        if not is_failure(error):
            raise
        raise ValueError(f"the circuit cannot be read as {source}: {error}") from error


def read_circuits(circuits: Sequence[values_pb2.Circuit]) -> "list[QuantumCircuit]":
    """Reads each as `read_circuit` does; together where they are QPY, since each file has its price."""
    try:
        return _load_all([circuit.qpy for circuit in circuits])
    except BaseException as error:
        if not is_failure(error):
            raise
    # Which one it is, and what is wrong with it.
    return [read_circuit(circuit) for circuit in circuits]


def check_qpy(data: bytes) -> None:
    """Refuses QPY that must not reach Qiskit's reader; raises ValueError.

    That is, if it is old, holds several circuits, announces absurd sizes or names strange classes.
    """
    if unknown := check_structure(data) - CLASSES:
        raise ValueError(
            f"the circuit has an instruction of the class {min(unknown)[:40]!r}, which is not read:"
            " send its definition instead (see QuantumCircuit.decompose)"
        )


def load_qpy(data: bytes) -> "QuantumCircuit":
    """Reads QPY after `check_qpy`; raises what that and Qiskit's reader raise."""
    (circuit,) = _load_all([data])
    return circuit


def _load_all(files: Sequence[bytes]) -> "list[QuantumCircuit]":
    for data in files:
        check_qpy(data)
    qpy: Any = _require_qiskit("qiskit.qpy")
    joined = join_files(files) if len(files) > 1 else files[0]
    if joined is not None:
        return qpy.load(io.BytesIO(joined))  # type: ignore[no-any-return]
    return [qpy.load(io.BytesIO(data))[0] for data in files]


@functools.cache
def _require_qiskit(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError("this value needs Qiskit to be read: pip install qiskit") from error
