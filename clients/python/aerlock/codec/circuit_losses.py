"""Finds what QPY has made of a circuit, by comparing the copy with the original in every part."""

# ruff: noqa: ANN401  (an object of any type may come)

import functools
import re
from collections.abc import Callable, Iterator, Set
from typing import Any, Final

from aerlock.codec.circuit_notes import (
    BASES,
    Note,
    in_order,
    inner_circuits,
    is_defined_by_hand,
    register_names,
)
from aerlock.codec.qpy_shape import LastShape
from aerlock.codec.qpy_structure import free_places, has_definitions
from aerlock.codec.types.parameters import same_expression, survives_qpy

_LONGEST_NAME: Final = 1_000
_GENERATED_NAME: Final = re.compile(r"circuit-\d+(-\d+)?")
# An expression stands in QPY as this letter and its size, in eight bytes of which the first are zero.
_EXPRESSION: Final = b"e\0\0\0\0"
# So many bytes from there come its steps, of so many bytes each: operation, kind and value of both sides.
_STEPS: Final = 25
_STEP_BYTES: Final = 35
_RISKY: Final = frozenset(b"cu")
_REAL: Final = frozenset(b"fi")
_FUNCTIONS: Final = frozenset({5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 17})
_ALSO_SIMPLE: Final = frozenset({"barrier", "measure", "reset", "unitary", "mcx", "mcphase"})
# Qiskit says that two of these are different even if both were made alike.
_UNEQUAL: Final = frozenset({"UCRXGate", "UCRYGate", "UCRZGate", "DiagonalGate"})

# What decides about instructions and expressions is the same in all files of one shape.
_LAST_SOUND: Final = LastShape()


def survives(circuit: Any, written: bytes) -> bool:
    """Tells, fast, that QPY kept the whole circuit; False where one has to look closer.

    A gate's numbers come back as floats, whatever type of number they were, and an empty label as none.
    """
    return (
        circuit.layout is None
        and not circuit.num_identifiers
        and type(circuit.name) is str
        and len(circuit.name) <= _LONGEST_NAME
        and is_json(circuit.metadata)
        and survives_qpy(circuit.global_phase)
        and _order_survives(circuit.qregs)
        and _order_survives(circuit.cregs)
        and _instructions_survive(circuit, written)
    )


def _instructions_survive(circuit: Any, written: bytes) -> bool:
    names = frozenset(circuit.count_ops())
    if _LAST_SOUND.find(written) == names:
        return True
    if not _are_simple(names, written):
        return False
    if _look_sound(written):
        _LAST_SOUND.remember(written, names, free_places)
        return True
    return _expressions_survive(circuit)


def _look_sound(written: bytes) -> bool:
    """Tells whether no expression in QPY has a complex constant, or a function of a constant.

    What only looks like an expression may make the answer False.
    """
    at = written.find(_EXPRESSION)
    while at >= 0:
        start = at + _STEPS
        size = int.from_bytes(written[start - 8 : start])
        steps = written[start : start + size]
        if len(steps) != size or size % _STEP_BYTES:
            return False
        operations, lefts, rights = steps[::_STEP_BYTES], steps[1::_STEP_BYTES], steps[18::_STEP_BYTES]
        if _RISKY.intersection(lefts + rights):
            return False
        if _REAL.intersection(lefts) and any(
            left in _REAL and code in _FUNCTIONS for code, left in zip(operations, lefts, strict=True)
        ):
            return False
        at = written.find(_EXPRESSION, at + 1)
    return True


def _expressions_survive(circuit: Any) -> bool:
    return all(survives_qpy(param) for instruction in circuit.data for param in instruction.params)


def _order_survives(registers: list[Any]) -> bool:
    """QPY writes the registers that have bits of their own first."""
    return len(registers) < 2 or all(type(each)(len(each), each.name) == each for each in registers)


def _are_simple(names: Set[str], written: bytes) -> bool:
    """Tells whether all instructions are Qiskit's own, of kinds that QPY keeps."""
    if not names <= _simple_names():
        return False
    # An instruction that is defined by hand may have such a name as well; QPY puts a number behind it.
    return not any(f"{name}_".encode() in written for name in names) or not has_definitions(written)


@functools.cache
def _simple_names() -> frozenset[str]:
    """The names of instructions that QPY keeps, where they are Qiskit's own and not defined by hand."""
    from qiskit.circuit import Gate
    from qiskit.circuit.library import get_standard_gate_name_mapping

    mapping = get_standard_gate_name_mapping()
    return _ALSO_SIMPLE | {name for name, gate in mapping.items() if isinstance(gate, Gate)}


def is_json(obj: Any) -> bool:
    """Tells whether JSON gives back exactly this object."""
    if type(obj) is dict:
        return all(type(key) is str for key in obj) and all(map(is_json, obj.values()))
    if type(obj) is list:
        return all(map(is_json, obj))
    return obj is None or type(obj) in (str, int, float, bool)


def find_differences(original: Any, copy: Any) -> list[Note]:
    """Compares a circuit with its copy; returns the notes that make the copy equal.

    Raises ValueError that names the place of what no note can mend.
    """
    _require(original.name == copy.name, [], "its name")
    _require(original.layout == copy.layout, [], "its layout")
    return list(_circuit(original, copy, []))


def _require(condition: bool, at: list[Any], what: str) -> None:
    if not condition:
        raise ValueError(f"QPY does not keep {what}{_place(at)}")


def _place(at: list[Any]) -> str:
    steps = [f"data[{step}]" if isinstance(step, int) else step for step in at]
    text = ".".join(steps).replace("block.data[", "blocks[")
    return f" at {text}" if text else ""


def _circuit(original: Any, copy: Any, at: list[Any]) -> Iterator[Note]:
    order = register_names(original)
    if order != register_names(copy):
        yield {"at": at, "registers": order}
        copy = in_order(copy, order)
    _require(_bits(original) == _bits(copy), at, "the bits and registers")
    for names in ("iter_input_vars", "iter_captures", "iter_declared_vars", "iter_declared_stretches"):
        _require(list(getattr(original, names)()) == list(getattr(copy, names)()), at, "the variables")
    _require(_same(original.global_phase, copy.global_phase), at, "the global phase")
    _require(len(original.data) == len(copy.data), at, "the instructions")
    changes = {}
    if original.name != copy.name and not _GENERATED_NAME.fullmatch(original.name or "circuit-0"):
        changes["name"] = original.name
    if original.metadata != copy.metadata or not is_json(original.metadata):
        changes["metadata"] = original.metadata
    if changes:
        yield {"at": at, **changes}
    for position, (left, right) in enumerate(zip(original.data, copy.data, strict=True)):
        where = [*at, position]
        for ours, theirs in ((left.qubits, right.qubits), (left.clbits, right.clbits)):
            _require(_indices(original, ours) == _indices(copy, theirs), where, "the bits of an instruction")
        if left.is_standard_gate() and right.is_standard_gate() and left.label == right.label:
            _require(
                left.name == right.name and _same(left.params, right.params), where, f"a gate {left.name!r}"
            )
        else:
            yield from _operation(left.operation, right.operation, where, original, copy)


def _indices(circuit: Any, bits: Any) -> list[int]:
    return [circuit.find_bit(bit).index for bit in bits]


def _bits(circuit: Any) -> list[Any]:
    """All that tells bits and registers of one circuit from those of another."""
    registers = [(type(each), each.name, len(each)) for each in (*circuit.qregs, *circuit.cregs)]
    places = [
        (type(bit), [(register.name, index) for register, index in circuit.find_bit(bit).registers])
        for bit in (*circuit.qubits, *circuit.clbits)
    ]
    return [registers, places]


def _operation(left: Any, right: Any, at: list[Any], original: Any, copy: Any) -> Iterator[Note]:
    is_own = is_defined_by_hand(left)
    cls = _class(left)
    what = f"a {cls.__name__}"
    cure = f"{what} (see QuantumCircuit.decompose)"
    _require(is_own or cls is _class(right), at, cure)
    for name in ("name", "num_qubits", "num_clbits", "num_ctrl_qubits", "ctrl_state", "unit", "annotations"):
        _require(getattr(left, name, None) == getattr(right, name, None), at, cure)
    if getattr(left, "label", None) != getattr(right, "label", None):
        yield {"at": at, "label": left.label}
    if hasattr(left, "blocks"):
        _require(_same_control(left, right, original, copy), at, f"the condition of {what}")
    elif not is_own and cls.__name__ not in _UNEQUAL:
        _require(bool(left == right) or hasattr(left, "base_gate"), at, cure)
    _require(_same(_plain_params(left), _plain_params(right)), at, f"the parameters of {what}")
    for base in BASES:
        if hasattr(left, base):
            yield from _operation(getattr(left, base), getattr(right, base), [*at, base], original, copy)
    ours, theirs = list(inner_circuits(left)), list(inner_circuits(right))
    _require(len(ours) == len(theirs), at, f"the circuits in {what}")
    for (step, inner), (_, its_copy) in zip(ours, theirs, strict=True):
        yield from _circuit(inner, its_copy, at + step)


def _class(operation: Any) -> type:
    return getattr(operation, "base_class", type(operation))


def _plain_params(operation: Any) -> list[Any]:
    from qiskit import QuantumCircuit

    return [param for param in getattr(operation, "params", []) if not isinstance(param, QuantumCircuit)]


def _same_control(left: Any, right: Any, original: Any, copy: Any) -> bool:
    if hasattr(left, "duration") and not _same(left.duration, right.duration):
        return False
    if hasattr(left, "cases_specifier"):
        ours, theirs = ([case for case, _ in each.cases_specifier()] for each in (left, right))
        if ours != theirs:
            return False
    return all(
        _same_look(getattr(left, name, None), getattr(right, name, None), original, copy)
        for name in ("condition", "target")
    )


def _same_look(left: Any, right: Any, original: Any, copy: Any) -> bool:
    """Tells whether two conditions, or targets, look at the same bits of their circuits in the same way."""
    from qiskit.circuit import Clbit
    from qiskit.circuit.classical import expr

    if isinstance(left, expr.Expr) and isinstance(right, expr.Expr):
        return bool(expr.structurally_equivalent(left, right, _key(original), _key(copy)))
    if isinstance(left, tuple) and isinstance(right, tuple):
        return left[1] == right[1] and _same_look(left[0], right[0], original, copy)
    if isinstance(left, Clbit) and isinstance(right, Clbit):
        return original.find_bit(left).index == copy.find_bit(right).index  # type: ignore[no-any-return]
    return bool(left == right)


def _key(circuit: Any) -> Callable[[Any], Any]:
    from qiskit.circuit import Clbit

    return lambda variable: circuit.find_bit(variable).index if isinstance(variable, Clbit) else variable


def _same(left: Any, right: Any) -> bool:
    """Tells whether two parameters are the same, though numbers may have become floats."""
    import numpy as np
    from qiskit.circuit import ParameterExpression

    if isinstance(left, ParameterExpression):
        return isinstance(right, ParameterExpression) and same_expression(left, right)
    if isinstance(left, int | float | complex | np.number) and isinstance(
        right, int | float | complex | np.number
    ):
        return bool(left == right) or (left != left and right != right)
    if isinstance(left, np.ndarray):
        return (
            type(right) is type(left)
            and left.dtype == right.dtype
            and np.array_equal(left, right, equal_nan=True)
        )
    if isinstance(left, list | tuple):
        return type(left) is type(right) and len(left) == len(right) and all(map(_same, left, right))
    return type(left) is type(right) and bool(left == right)
