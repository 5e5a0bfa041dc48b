"""Circuits with what QPY does not keep of them, and instructions on their own."""

# ruff: noqa: ANN401  (an object of any type may come)

from json import JSONEncoder
from typing import Any, Final

from aerlock.codec import circuit_losses, circuit_notes, qpy
from aerlock.codec.circuit_notes import Note
from aerlock.codec.qpy_order import in_order
from aerlock.codec.tagged import TaggedType, require, require_keys

CIRCUIT_TAG: Final = "qiskit.QuantumCircuit"


_VERSION: Final = len(b"QISKIT")
# QPY says the length of a name in 16 bits, and does not check it.
_LONGEST_NAME: Final = 65_535


class Qpy(bytes):
    """A circuit that has been written."""


class _NoMetadata(JSONEncoder):
    """Writes no metadata: they travel beside."""

    def encode(self, o: object) -> str:
        return "{}"


def write_with_notes(circuit: Any, reader_version: int | None) -> tuple[Qpy, list[Note]]:
    """Writes a circuit, and notes for what QPY does not keep of it; plain circuits have none.

    Raises ValueError for what neither QPY nor a note can hold.
    """
    if len((circuit.name or "").encode()) > _LONGEST_NAME:
        raise ValueError(f"its name has more than {_LONGEST_NAME:,} bytes")
    serializer = None if circuit_losses.is_json(circuit.metadata) else _NoMetadata
    written = qpy.write_circuit(circuit, reader_version, serializer)
    if circuit_losses.survives(circuit, written):
        return Qpy(written), []
    prepared, notes = circuit_notes.take_out(circuit)
    if prepared is not circuit:
        written = qpy.write_circuit(prepared, reader_version, serializer)
    written = in_order(written)
    copy = circuit_notes.put_back(_read_back(prepared, written), notes)
    return Qpy(written), notes + circuit_losses.find_differences(circuit, copy)


def _read_back(circuit: Any, written: bytes) -> Any:
    """Reads what was written of a circuit; the ValueError names an instruction which cannot be read."""
    try:
        return qpy.load_qpy(written)
    except Exception as error:
        problem = error
    for position, instruction in enumerate(circuit.data):
        alone = circuit.copy_empty_like()
        alone.append(instruction)
        try:
            qpy.load_qpy(qpy.write_circuit(alone, metadata_serializer=_NoMetadata))
        except Exception as error:
            name = type(instruction.operation).__name__
            raise ValueError(
                f"QPY does not keep a {name} at data[{position}] (see QuantumCircuit.decompose): {error}"
            ) from error
    raise ValueError(f"QPY does not keep it: {problem}{qpy.upgrade_cure(written[_VERSION])}") from problem


def _circuit_from_plain(plain: Any) -> Any:
    require_keys(plain, "circuit", "notes")
    return circuit_notes.put_back(_require_circuit(plain["circuit"]), require(list, plain["notes"]))


def _require_circuit(plain: Any) -> Any:
    from qiskit import QuantumCircuit

    return require(QuantumCircuit, plain)


def instruction_to_plain(instruction: Any) -> Any:
    """Gives a circuit that holds just this instruction, on as many bits as it has."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import Clbit, Qubit

    circuit = QuantumCircuit([Qubit() for _ in range(instruction.num_qubits)])
    num_clbits = getattr(instruction, "num_clbits", 0)
    registers, bits = _condition_resources(instruction)
    for register in registers:
        circuit.add_register(register)
    circuit.add_bits([bit for bit in bits if bit not in circuit.clbits])
    circuit.add_bits([Clbit() for _ in range(num_clbits - circuit.num_clbits)])
    circuit.append(instruction, circuit.qubits, circuit.clbits[:num_clbits])
    return circuit


def _condition_resources(instruction: Any) -> tuple[list[Any], list[Any]]:
    """The classical registers and bits that a control-flow operation looks at."""
    from qiskit.circuit import ClassicalRegister, Clbit
    from qiskit.circuit.classical import expr

    looked_at = getattr(instruction, "condition", None) or getattr(instruction, "target", None)
    if isinstance(looked_at, tuple):
        looked_at = looked_at[0]
    if isinstance(looked_at, expr.Expr):
        variables = [node.var for node in expr.iter_vars(looked_at) if not node.standalone]
    else:
        variables = [looked_at]
    registers = [each for each in variables if isinstance(each, ClassicalRegister)]
    return registers, [each for each in variables if isinstance(each, Clbit)]


def instruction_from_plain(plain: Any) -> Any:
    """Takes the one instruction out of its circuit."""
    (instruction,) = _require_circuit(plain).data
    return instruction.operation


def _delay_to_plain(delay: Any) -> dict[str, Any]:
    return {"duration": delay.duration, "unit": delay.unit, "label": delay.label}


def _delay_from_plain(plain: Any) -> Any:
    from qiskit.circuit import Delay, ParameterExpression

    require_keys(plain, "duration", "unit", "label")
    duration, label = plain["duration"], plain["label"]
    if not isinstance(duration, ParameterExpression) and type(duration) not in (int, float):
        raise TypeError("its duration is no number and no expression")
    delay = Delay(duration, unit=require(str, plain["unit"]))
    if label is not None:
        delay.label = require(str, label)
    return delay


TYPES: Final = (
    # The encoder makes it of a circuit that has notes.
    TaggedType(CIRCUIT_TAG, (), lambda circuit: circuit, _circuit_from_plain),
    # The encoder takes it for every subclass of Qiskit's Instruction.
    TaggedType("qiskit.Instruction", (), instruction_to_plain, instruction_from_plain),
    TaggedType("qiskit.Delay", ("qiskit.circuit.delay.Delay",), _delay_to_plain, _delay_from_plain),
)
INSTRUCTION: Final = TYPES[1]
INSTRUCTION_BASES: Final = frozenset(
    {"qiskit.circuit.instruction.Instruction", "qiskit.circuit.annotated_operation.AnnotatedOperation"}
)
"""Whatever class has one of these among its bases travels as an instruction."""
