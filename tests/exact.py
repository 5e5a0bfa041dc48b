"""Comparison of what went through the codec with what it was: type, value, and what `==` passes over."""

import enum
import struct
from collections import defaultdict, deque
from datetime import datetime, time

import numpy as np

from aerlock.codec import check_value, from_value, to_value
from aerlock.v1.values_pb2 import Value


def round_trip(obj: object) -> object:
    """What comes out of the wire for ``obj``."""
    value = to_value(obj)
    encoded = value.SerializeToString()
    check_value(value, len(encoded))
    return from_value(Value.FromString(encoded))


def assert_comes_back(obj: object) -> object:
    """Checks that ``obj`` comes back the same in every part; returns the copy."""
    copy = round_trip(obj)
    assert_same(obj, copy)
    return copy


def assert_same(left: object, right: object, at: str = "it") -> None:
    """Fails with the path of the first difference."""
    assert type(left) is type(right), f"{at}: {type(left)} became {type(right)}"
    for kind, compare in _COMPARISONS:
        if isinstance(left, kind):
            compare(left, right, at)
            return
    if parts := _parts(left):
        assert_same(parts, _parts(right), at)
    else:
        assert left == right, f"{at}: {left!r} became {right!r}"


def _parts(obj: object) -> dict[str, object]:
    """The attributes of an object of Python; those of compiled classes are behind properties."""
    if type(obj).__module__.startswith("qiskit._accelerate") or type(obj).__name__ in _COMPILED:
        return {}
    slots = [slot for cls in type(obj).__mro__ for slot in getattr(cls, "__slots__", ())]
    names = [*getattr(obj, "__dict__", {}), *slots]
    return {name: getattr(obj, name) for name in names if hasattr(obj, name) and name not in _PRIVATE}


_COMPILED = {"SparseObservable", "PyDiGraph"}
_PRIVATE = {"_rng_generator", "_dist_matrix", "__dict__", "_definition"}


def _floats(left: float, right: float, at: str) -> None:
    # A NaN keeps its sign and its payload too.
    assert struct.pack("<d", left) == struct.pack("<d", right), f"{at}: {left!r} became {right!r}"


def _complexes(left: complex, right: complex, at: str) -> None:
    _floats(left.real, right.real, f"{at}.real")
    _floats(left.imag, right.imag, f"{at}.imag")


def _arrays(left: np.ndarray, right: np.ndarray, at: str) -> None:
    assert left.dtype == right.dtype, f"{at}: {left.dtype} became {right.dtype}"
    assert left.shape == right.shape, f"{at}: {left.shape} became {right.shape}"
    if left.ndim > 1 and left.size:
        ours, theirs = ((array.flags.c_contiguous, array.flags.f_contiguous) for array in (left, right))
        assert not any(ours) or ours == theirs, f"{at}: its order changed"
    assert right.flags.writeable, f"{at} is read-only"
    if left.dtype.hasobject:
        assert_same(left.tolist(), right.tolist(), at)
    else:
        assert left.tobytes() == right.tobytes(), f"{at}: {left!r} became {right!r}"


def _scalars(left: np.generic, right: np.generic, at: str) -> None:
    assert left.dtype == right.dtype, f"{at}: {left.dtype} became {right.dtype}"
    assert left.tobytes() == right.tobytes(), f"{at}: {left!r} became {right!r}"


def _dicts(left: dict, right: dict, at: str) -> None:
    assert_same(list(left), list(right), f"the keys of {at}")
    for key in left:
        assert_same(left[key], right[key], f"{at}[{key!r}]")
    if isinstance(left, defaultdict):
        assert left.default_factory is right.default_factory
    if type(left) is not dict and getattr(left, "__dict__", None):
        assert_same(vars(left), vars(right), f"the attributes of {at}")


def _sequences(left: list, right: list, at: str) -> None:
    assert len(left) == len(right), f"{at}: {len(left)} items became {len(right)}"
    for position, (ours, theirs) in enumerate(zip(left, right, strict=True)):
        assert_same(ours, theirs, f"{at}[{position}]")
    if isinstance(left, deque):
        assert left.maxlen == right.maxlen


def _moments(left: datetime, right: datetime, at: str) -> None:
    assert left.replace(tzinfo=None) == right.replace(tzinfo=None), f"{at}: {left!r} became {right!r}"
    assert (left.fold, left.utcoffset(), left.tzname()) == (right.fold, right.utcoffset(), right.tzname()), at
    assert repr(left.tzinfo) == repr(right.tzinfo), f"{at}: {left!r} became {right!r}"


def _identity(left: enum.Enum, right: enum.Enum, at: str) -> None:
    assert left is right, f"{at}: {left!r} became {right!r}"


_COMPARISONS = (
    (enum.Enum, _identity),
    (np.ndarray, _arrays),
    (np.generic, _scalars),
    (float, _floats),
    (complex, _complexes),
    (dict, _dicts),
    (list | tuple | deque, _sequences),
    (datetime | time, _moments),
)
