"""The registry of the richer types: each travels as a tag around a plainer object.

To carry one more type exactly, add one line to `TAGGED_TYPES`. A class is named
by its path, so that the registry imports no library before a value needs it.
"""

# ruff: noqa: ANN401  (an object of any type may come)

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from aerlock.codec import qiskit_types
from aerlock.codec.arrays import array_to_numbers, numbers_to_array


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value of a type that this version does not know: its tag, and the plainer value inside."""

    type: str
    value: Any


@dataclass(frozen=True, slots=True)
class TaggedType:
    """How one type travels.

    ``since`` is the codec version that brought it. ``classes`` are the paths of
    the exact classes; ``to_plain`` gives an object
    that the codec carries already, ``from_plain`` gets it back and raises
    ValueError, TypeError, KeyError, IndexError or AttributeError if it is not
    of the right form.
    """

    tag: str
    classes: tuple[str, ...]
    to_plain: Callable[[Any], object]
    from_plain: Callable[[Any], object]
    since: int = 1


def _pairs(mapping: dict[Any, Any]) -> list[list[Any]]:
    return [list(pair) for pair in mapping.items()]


def _dict_of_pairs(pairs: list[list[Any]]) -> dict[Any, Any]:
    mapping = dict(_require(list, pairs))
    if len(mapping) != len(pairs):
        raise ValueError("a key comes twice")
    return mapping


def _set_of(items: list[Any]) -> set[Any]:
    found = set(_require(list, items))
    if len(found) != len(items):
        raise ValueError("an element comes twice")
    return found


def _scalar(array: Any) -> object:
    if array.shape != ():
        raise ValueError("a scalar must be an array without dimensions")
    return array[()]


def _array_of_scalar(scalar: Any) -> object:
    import numpy as np

    return np.asarray(scalar)


def _require(kind: type, plain: Any) -> Any:
    if type(plain) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {type(plain).__name__}")
    return plain


_NUMPY_SCALARS = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 longlong ulonglong "
    "float16 float32 float64 complex64 complex128"
)

_PARAMETERS = ("ParameterExpression", "Parameter", "ParameterVectorElement")


def _qiskit(
    name: str, module: str, to_plain: Callable[[Any], object], from_plain: Callable[[Any], object]
) -> TaggedType:
    return TaggedType(f"qiskit.{name}", (f"qiskit.{module}.{name}",), to_plain, from_plain)


DICT: Final = TaggedType("python.dict", (), _pairs, _dict_of_pairs)
"""A dict with a key that is not a str; dicts of str keys are maps and need no tag."""

LIST: Final = TaggedType("python.list", (), numbers_to_array, array_to_numbers)
"""A long list of numbers; every other list is a list_value and needs no tag."""

TAGGED_TYPES: Final = (
    DICT,
    LIST,
    TaggedType("python.tuple", ("builtins.tuple",), list, lambda plain: tuple(_require(list, plain))),
    TaggedType("python.set", ("builtins.set",), list, _set_of),
    TaggedType("python.frozenset", ("builtins.frozenset",), list, lambda plain: frozenset(_set_of(plain))),
    # A datetime in UTC is a timestamp and needs no tag.
    TaggedType("python.datetime", ("datetime.datetime",), datetime.isoformat, datetime.fromisoformat),
    TaggedType("python.date", ("datetime.date",), date.isoformat, date.fromisoformat),
    TaggedType(
        "numpy.scalar", tuple(f"numpy.{n}" for n in _NUMPY_SCALARS.split()), _array_of_scalar, _scalar
    ),
    _qiskit("Counts", "result.counts", dict, qiskit_types.counts_from_plain),
    _qiskit("Result", "result.result", qiskit_types.result_to_plain, qiskit_types.result_from_plain),
    TaggedType(
        "qiskit.ParameterExpression",
        tuple(f"qiskit._accelerate.circuit.{name}" for name in _PARAMETERS),
        qiskit_types.circuit_of_expression,
        qiskit_types.expression_of_circuit,
    ),
    _qiskit(
        "SparsePauliOp",
        "quantum_info.operators.symplectic.sparse_pauli_op",
        lambda op: {"paulis": op.paulis.to_labels(), "coeffs": op.coeffs},
        qiskit_types.sparse_pauli_op_from_plain,
    ),
    _qiskit(
        "Statevector",
        "quantum_info.states.statevector",
        qiskit_types.state_to_plain,
        qiskit_types.statevector_from_plain,
    ),
    _qiskit(
        "DensityMatrix",
        "quantum_info.states.densitymatrix",
        qiskit_types.state_to_plain,
        qiskit_types.density_matrix_from_plain,
    ),
    _qiskit(
        "Operator",
        "quantum_info.operators.operator",
        qiskit_types.operator_to_plain,
        qiskit_types.operator_from_plain,
    ),
    _qiskit(
        "SuperOp",
        "quantum_info.operators.channel.superop",
        qiskit_types.operator_to_plain,
        qiskit_types.super_op_from_plain,
    ),
)

BY_TAG: Final = {tagged.tag: tagged for tagged in TAGGED_TYPES}
BY_CLASS: Final = {path: tagged for tagged in TAGGED_TYPES for path in tagged.classes}
