"""What it means that an object came back: the same type and the same value, all the way down."""

import operator
import re
import struct
from typing import Any

import numpy as np
from anatomy import anatomy

from aerlock.codec import to_value

_LOOSE = (
    "qiskit.primitives.",
    "qiskit.quantum_info",
    "qiskit.result.",
    "qiskit.transpiler.",
    "qiskit_aer.",
    "scipy.",
)
"""Where objects equal others that are nearly the same, and not themselves with a NaN, or cannot tell."""


def same(left: object, right: object) -> bool:
    """Whether both are the same; NaN is itself, and -0.0 is not 0.0."""
    if type(left) is not type(right):
        return False
    compare = _same_array if isinstance(left, np.generic) else _COMPARISONS.get(type(left).__name__)
    if compare is None and str(type(left).__module__).startswith(_LOOSE):
        compare = _same_anatomy
    if compare is None and type(left).__eq__ is object.__eq__:
        # What cannot be compared is the same where it is written alike.
        return to_value(left) == to_value(right)
    return bool(compare(left, right) if compare else left == right)


def _same_items(left: Any, right: Any) -> bool:
    return len(left) == len(right) and all(map(same, left, right))


def _same_dict(left: dict, right: dict) -> bool:
    return _same_items(list(left), list(right)) and _same_items(list(left.values()), list(right.values()))


def _same_set(left: Any, right: Any) -> bool:
    # By their text, since a NaN is not found in a set.
    return _text(left) == _text(right)


def _text(obj: Any) -> str:
    """The object's text, in which the order of sets is always the same."""
    if isinstance(obj, tuple | frozenset | set):
        texts = map(_text, obj)
        return f"{type(obj).__name__}{list(texts) if isinstance(obj, tuple) else sorted(texts)}"
    return repr(obj)


def _same_bits(left: float, right: float) -> bool:
    return struct.pack("<d", left) == struct.pack("<d", right) or (left != left and right != right)


def _same_array(left: Any, right: Any) -> bool:
    if (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    if left.dtype == object:
        return _same_items(list(left.flat), list(right.flat))
    return left.tobytes() == right.tobytes() or bool(np.array_equal(left, right, equal_nan=True))


def _same_anatomy(left: Any, right: Any) -> bool:
    return anatomy(left) == anatomy(right)


def _same_circuit(left: Any, right: Any) -> bool:
    # Qiskit counts circuits that nobody named.
    names = {re.sub(r"^circuit-\d+(-\d+)?$", "", circuit.name) for circuit in (left, right)}
    return left == right and len(names) == 1 and same(left.metadata, right.metadata)


_COMPARISONS = {
    "list": _same_items,
    "tuple": _same_items,
    "dict": _same_dict,
    "set": _same_set,
    "frozenset": _same_set,
    "float": _same_bits,
    "complex": lambda left, right: _same_bits(left.real, right.real) and _same_bits(left.imag, right.imag),
    "ndarray": _same_array,
    "Tagged": lambda left, right: left.type == right.type and same(left.value, right.value),
    "Counter": _same_dict,
    "OrderedDict": _same_dict,
    "defaultdict": lambda left, right: (
        left.default_factory is right.default_factory and _same_dict(left, right)
    ),
    "deque": lambda left, right: left.maxlen == right.maxlen and _same_items(left, right),
    "Decimal": lambda left, right: str(left) == str(right),
    "ParameterVector": lambda left, right: list(left) == list(right),
    # Qiskit's own comparison stumbles over the smallest integer.
    "ParameterExpression": lambda left, right: left == right or to_value(left) == to_value(right),
    "QuantumCircuit": _same_circuit,
    # The original's JSON has of them what makes them equal.
    "NoiseModel": operator.eq,
}
