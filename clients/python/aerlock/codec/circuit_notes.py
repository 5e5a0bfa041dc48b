"""What travels beside a circuit's QPY, because QPY has no place for it: taken out, and put back.

A note says where (``at``) and what. Where: the position of an instruction, and
in it "definition" or ("block", position) for a circuit that it holds, "base_gate"
or "base_op" for the operation that it controls or modifies. What:
``operation`` in place of a stand-in, ``params`` or ``label`` of an instruction;
``name``, ``metadata`` or ``global_phase`` of a circuit, or the order of its ``registers``.
"""

# ruff: noqa: ANN401  (an object of any type may come)

import copy
from collections.abc import Callable, Iterator
from typing import Any, Final

from aerlock.codec.tagged import require, require_keys
from aerlock.codec.types.parameters import survives_qpy

Note = dict[str, Any]

BASES: Final = ("base_gate", "base_op")
"""The attributes that hold the operation which another one controls or modifies."""
_STAND_IN_PARAMETER: Final = 0.0


def take_out(circuit: Any, at: list[Any] | None = None) -> tuple[Any, list[Note]]:
    """Gives a circuit that QPY can hold, and the notes that make it the one it was."""
    at = at or []
    changed: dict[int, Any] = {}
    notes: list[Note] = []
    for position, instruction in enumerate(circuit.data):
        stand_in, its_notes = _take_out_of(instruction, [*at, position])
        if its_notes:
            changed[position] = stand_in
            notes += its_notes
    phase_survives = survives_qpy(circuit.global_phase)
    if not changed and phase_survives:
        return circuit, []
    prepared = _rebuilt(circuit, changed)
    if not phase_survives:
        prepared.global_phase = 0
        notes.append({"at": at, "global_phase": circuit.global_phase})
    return prepared, notes


def _rebuilt(circuit: Any, changed: dict[int, Any]) -> Any:
    """The circuit with other instructions at some positions; set in place, Qiskit panics at loops."""
    rebuilt = circuit.copy_empty_like()
    for position, instruction in enumerate(circuit.data):
        rebuilt.append(changed.get(position, instruction))
    return rebuilt


def _take_out_of(instruction: Any, at: list[Any]) -> tuple[Any, list[Note]]:
    from qiskit.circuit import Instruction

    if not all(map(survives_qpy, instruction.params)):
        params = list(instruction.params)
        kept = [each if survives_qpy(each) else _STAND_IN_PARAMETER for each in params]
        return with_params(instruction, kept), [{"at": at, "params": params}]
    if is_lost_delay(instruction):
        stand_in = Instruction(instruction.name, 1, 0, [])
        return instruction.replace(operation=stand_in, params=[]), [
            {"at": at, "operation": instruction.operation}
        ]
    if instruction.is_standard_gate():
        return instruction, []
    notes: list[Note] = []

    def change(inner: Any, step: list[Any]) -> Any:
        inner, its_notes = take_out(inner, at + step)
        notes.extend(its_notes)
        return inner if its_notes else None

    return _with_inner(instruction, change), notes


def is_lost_delay(instruction: Any) -> bool:
    """Tells whether QPY would make another delay of it: it keeps whole numbers of dt, and expressions."""
    if instruction.name != "delay" or not hasattr(instruction.operation, "unit"):
        return False
    delay = instruction.operation
    return not (delay.unit == "expr" or (delay.unit == "dt" and type(delay.duration) is int))


def with_params(instruction: Any, params: list[Any]) -> Any:
    """The instruction with other parameters."""
    if instruction.is_standard_gate():
        return instruction.replace(params=params)
    operation = instruction.operation.copy()
    operation.params = params
    return instruction.replace(operation=operation, params=params)


def inner_circuits(operation: Any) -> Iterator[tuple[list[Any], Any]]:
    """The circuits that an operation holds, with the steps to them; what Qiskit derives is none of them."""
    if hasattr(operation, "blocks"):
        yield from ((["block", position], block) for position, block in enumerate(operation.blocks))
    elif is_defined_by_hand(operation) and operation.definition is not None:
        yield ["definition"], operation.definition


def all_circuits(circuit: Any) -> Iterator[Any]:
    """The circuit and all that it holds."""
    yield circuit
    for instruction in circuit.data:
        if not instruction.is_standard_gate():
            for _, inner in inner_circuits(instruction.operation):
                yield from all_circuits(inner)


def is_defined_by_hand(operation: Any) -> bool:
    """Tells whether QPY writes the operation's definition, as it does where the class is none of Qiskit's."""
    from qiskit.circuit import ControlledGate, Gate, Instruction

    if not isinstance(operation, Instruction) or isinstance(operation, ControlledGate):
        return False
    return operation.base_class in (Gate, Instruction) or not operation.base_class.__module__.startswith(
        "qiskit."
    )


def _with_inner(instruction: Any, change: Callable[[Any, list[Any]], Any]) -> Any:
    """Replaces the circuits in an instruction by what ``change`` makes of them; None leaves one as it is."""
    operation = instruction.operation
    inner = [(step, circuit, change(circuit, step)) for step, circuit in inner_circuits(operation)]
    if all(changed is None for _, _, changed in inner):
        return instruction
    circuits = [circuit if changed is None else changed for _, circuit, changed in inner]
    if hasattr(operation, "blocks"):
        operation = operation.replace_blocks(circuits)
    else:
        operation = operation.copy()
        (operation.definition,) = circuits
    return instruction.replace(operation=operation, params=operation.params)


def put_back(circuit: Any, notes: list[Note]) -> Any:
    """Gives the circuit that the notes tell of, changed where it lies or made anew.

    Raises ValueError where they do not fit it.
    """
    here: dict[int, list[Note]] = {}
    for note in notes:
        at = require(list, note["at"])
        if not at:
            circuit = _change_circuit(circuit, note)
        elif not 0 <= require(int, at[0]) < len(circuit.data):
            raise ValueError(f"it has no instruction {at[0]}")
        else:
            here.setdefault(at[0], []).append({**note, "at": at[1:]})
    changed = {
        position: _put_back_in(circuit.data[position], its_notes) for position, its_notes in here.items()
    }
    return _rebuilt(circuit, changed) if changed else circuit


def _put_back_in(instruction: Any, notes: list[Note]) -> Any:
    deeper: dict[tuple[Any, ...], list[Note]] = {}
    for note in notes:
        if not note["at"]:
            instruction = _change_instruction(instruction, note)
            continue
        if note["at"][0] in BASES:
            instruction = _put_back_in_base(instruction, note)
            continue
        length = 2 if note["at"][0] == "block" else 1
        deeper.setdefault(tuple(note["at"][:length]), []).append({**note, "at": note["at"][length:]})

    def change(inner: Any, step: list[Any]) -> Any:
        its_notes = deeper.pop(tuple(step), None)
        return put_back(inner, its_notes) if its_notes else None

    if deeper:
        instruction = _with_inner(instruction, change)
    if deeper:
        raise ValueError("it has no such block or definition")
    return instruction


def _put_back_in_base(instruction: Any, note: Note) -> Any:
    """Changes the operation that another one controls or modifies."""
    from qiskit.circuit import CircuitInstruction

    name, *rest = note["at"]
    operation = copy.copy(instruction.operation)
    base = _put_back_in(CircuitInstruction(getattr(operation, name), (), ()), [{**note, "at": rest}])
    setattr(operation, name, base.operation)
    return instruction.replace(operation=operation)


def _change_circuit(circuit: Any, note: Note) -> Any:
    require_keys(note, "at", optional=("name", "metadata", "global_phase", "registers"))
    if "registers" in note:
        circuit = in_order(circuit, note["registers"])
    if "name" in note:
        circuit.name = require(str, note["name"])
    if "metadata" in note:
        circuit.metadata = note["metadata"]
    if "global_phase" in note:
        circuit.global_phase = note["global_phase"]
    return circuit


def register_names(circuit: Any) -> list[list[str]]:
    """The names of its quantum registers and of its classical ones, in their order."""
    return [[register.name for register in registers] for registers in (circuit.qregs, circuit.cregs)]


def in_order(circuit: Any, names: list[list[str]]) -> Any:
    """The circuit with its registers in another order; raises ValueError where they are not its own."""
    if circuit.layout is not None:
        raise ValueError("QPY does not keep the order of the registers, and it has a layout")
    qregs, cregs = require(list, names)
    registers = [_named(circuit.qregs, qregs), _named(circuit.cregs, cregs)]
    ordered = type(circuit)(
        circuit.qubits,
        circuit.clbits,
        *registers[0],
        *registers[1],
        name=circuit.name,
        global_phase=circuit.global_phase,
        metadata=circuit.metadata,
        inputs=circuit.iter_input_vars(),
        captures=circuit.iter_captures(),
    )
    for variable in circuit.iter_declared_vars():
        ordered.add_uninitialized_var(variable)
    for stretch in circuit.iter_declared_stretches():
        ordered.add_stretch(stretch)
    for instruction in circuit.data:
        ordered.append(instruction)
    return ordered


def _named(registers: list[Any], names: list[str]) -> list[Any]:
    by_name = {register.name: register for register in registers}
    if sorted(by_name) != sorted(require(list, names)):
        raise ValueError("it has other registers")
    return [by_name[name] for name in names]


def _change_instruction(instruction: Any, note: Note) -> Any:
    from qiskit.circuit import Delay

    require_keys(note, "at", optional=("operation", "params", "label"))
    if "operation" in note:
        # Nothing else is ever taken out whole.
        if type(note["operation"]) is not Delay or (len(instruction.qubits), len(instruction.clbits)) != (
            1,
            0,
        ):
            raise ValueError("only a delay can stand in the place of an instruction")
        instruction = instruction.replace(operation=note["operation"], params=note["operation"].params)
    if "params" in note:
        params = require(list, note["params"])
        if len(params) != len(instruction.params) or not all(map(_is_parameter, params)):
            raise ValueError("the parameters are not those of its instruction")
        instruction = with_params(instruction, params)
    if "label" in note:
        operation = instruction.operation.to_mutable()
        operation.label = note["label"] if note["label"] is None else require(str, note["label"])
        instruction = instruction.replace(operation=operation)
    return instruction


def _is_parameter(param: Any) -> bool:
    from qiskit.circuit import ParameterExpression

    return type(param) in (int, float, complex) or isinstance(param, ParameterExpression)
