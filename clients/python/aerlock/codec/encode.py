"""Python objects to Values.

The kinds that protobuf has are written straight into the message through one
table by exact type, since `publish` is a hot path; every other type goes through
the registry in `aerlock.codec.tagged`.
"""

# ruff: noqa: ANN401  (an object of any type may come)

import types
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from aerlock.codec import qpy
from aerlock.codec.arrays import write_array
from aerlock.codec.bounds import (
    MAX_BIG_INT_CHARACTERS,
    MAX_DEPTH,
    MAX_VALUES,
    MIN_VALUE_BYTES,
    ValueBoundsError,
    check_size,
    check_value,
)
from aerlock.codec.tagged import BY_CLASS, DICT, Tagged, TaggedType
from aerlock.v1 import values_pb2

# Whatever leaf a container at this level holds directly, it stays within MAX_DEPTH.
_SURE_DEPTH: Final = MAX_DEPTH - 4
_ONLY_STR: Final[frozenset[type]] = frozenset({str})


def to_value(obj: object, name: str = "value") -> values_pb2.Value:
    """Encodes ``obj``.

    ``name`` is what errors call the object. Raises TypeError for an object that
    cannot be carried or that contains itself, and ValueError (`ValueBoundsError`
    where it is too large or too deep) otherwise; both say where in ``obj``.
    """
    value = values_pb2.Value()
    try:
        try:
            _encode(value, obj, 1, _SURE_DEPTH)
        except _TooDeepError:
            value.Clear()
            _encode(value, obj, 1, MAX_DEPTH)
            check_value(value, value.ByteSize())
    except _EncodeError as error:
        raise error.located(name) from error.__cause__
    size = value.ByteSize()
    check_size(size)
    if size > MIN_VALUE_BYTES * MAX_VALUES:
        check_value(value, size)
    return value


def to_map(items: dict[str, Any], name: str = "inputs") -> values_pb2.MapValue:
    """Encodes a dict with str keys; raises as `to_value` does."""
    for key in items:
        if type(key) is not str:
            raise TypeError(f"{name} has the key {key!r}, which is not a str")
    return to_value(items, name).map_value


class _EncodeError(Exception):
    """What is wrong, and the way back up to the object that was to be encoded."""

    def __init__(self, kind: type[Exception], problem: str) -> None:
        super().__init__(problem)
        self.kind = kind
        self.path: list[str] = []
        self.containers: list[object] = []

    def add_step(self, step: str, container: object) -> None:
        """Adds one step to the way, on the way out."""
        self.path.append(step)
        self.containers.append(container)

    def located(self, name: str) -> Exception:
        """The error for the caller."""
        return self.kind(f"{name}{''.join(reversed(self.path))} {self}")


class _TooDeepError(_EncodeError):
    """Nested too deep: by size, or because something contains itself."""

    def __init__(self) -> None:
        super().__init__(
            ValueBoundsError, f"nests deeper than {MAX_DEPTH} message levels (about 35 lists or dicts)"
        )

    def located(self, name: str) -> Exception:
        outwards = list(reversed(self.containers))
        seen: dict[int, int] = {}
        for position, container in enumerate(outwards):
            if id(container) in seen:
                path = "".join(list(reversed(self.path))[:position])
                return TypeError(f"{name}{path} contains itself: only trees can be sent")
            seen[id(container)] = position
        return ValueBoundsError(f"{name} {self}")


def _encode(target: values_pb2.Value, obj: Any, level: int, deepest: int) -> None:
    (_ENCODERS.get(type(obj)) or _encode_other)(target, obj, level, deepest)


def _encode_null(target: values_pb2.Value, obj: None, level: int, deepest: int) -> None:
    target.null_value = 0  # type: ignore[assignment]


def _encode_bool(target: values_pb2.Value, obj: bool, level: int, deepest: int) -> None:
    target.bool_value = obj


def _encode_int(target: values_pb2.Value, obj: int, level: int, deepest: int) -> None:
    if -0x8000000000000000 <= obj <= 0x7FFFFFFFFFFFFFFF:
        target.int_value = obj
        return
    # Python refuses to write more digits than the wire may carry, unless told otherwise.
    try:
        digits = str(obj)
    except ValueError:
        digits = ""
    if not 0 < len(digits) <= MAX_BIG_INT_CHARACTERS:
        raise _EncodeError(ValueBoundsError, f"is an integer of more than {MAX_BIG_INT_CHARACTERS:,} digits")
    target.big_int_value = digits


def _encode_float(target: values_pb2.Value, obj: float, level: int, deepest: int) -> None:
    target.double_value = obj


def _encode_complex(target: values_pb2.Value, obj: complex, level: int, deepest: int) -> None:
    target.complex_value.SetInParent()
    target.complex_value.real = obj.real
    target.complex_value.imag = obj.imag


def _encode_str(target: values_pb2.Value, obj: str, level: int, deepest: int) -> None:
    try:
        target.string_value = obj
    except UnicodeEncodeError:
        raise _EncodeError(
            ValueError, "holds half of a surrogate pair, which is no text: send bytes"
        ) from None


def _encode_bytes(target: values_pb2.Value, obj: bytes, level: int, deepest: int) -> None:
    target.bytes_value = obj


def _encode_list(target: values_pb2.Value, obj: list[Any], level: int, deepest: int) -> None:
    target.list_value.SetInParent()
    if level > deepest:
        raise _too_deep(obj)
    add, encoder_of = target.list_value.values.add, _ENCODERS.get
    position = 0
    try:
        for item in obj:
            (encoder_of(type(item)) or _encode_other)(add(), item, level + 2, deepest)
            position += 1
    except _EncodeError as error:
        error.add_step(f"[{position}]", obj)
        raise


def _encode_dict(target: values_pb2.Value, obj: dict[Any, Any], level: int, deepest: int) -> None:
    if not set(map(type, obj)) <= _ONLY_STR:
        _encode_tagged(target, obj, DICT, level, deepest)
        return
    target.map_value.SetInParent()
    if level > deepest:
        raise _too_deep(obj)
    add, encoder_of = target.map_value.entries.add, _ENCODERS.get
    key = ""
    try:
        for key, item in obj.items():
            entry = add()
            entry.key = key
            (encoder_of(type(item)) or _encode_other)(entry.value, item, level + 3, deepest)
    except _EncodeError as error:
        error.add_step(f".{key}" if key.isidentifier() else f"[{key!r}]", obj)
        raise
    except UnicodeEncodeError:
        raise _EncodeError(
            ValueError, f"has the key {key!r} with half of a surrogate pair: it is no text"
        ) from None


def _too_deep(container: object) -> _TooDeepError:
    error = _TooDeepError()
    error.containers.append(container)
    return error


def _encode_tagged(target: values_pb2.Value, obj: Any, tagged: TaggedType, level: int, deepest: int) -> None:
    try:
        plain = tagged.to_plain(obj)
    except Exception as error:
        raise _EncodeError(ValueError, f"cannot be written as {tagged.tag}: {error}") from error
    _encode_as(target, tagged.tag, plain, level, deepest)


def _encode_unknown_tag(target: values_pb2.Value, obj: Tagged, level: int, deepest: int) -> None:
    _encode_as(target, obj.type, obj.value, level, deepest)


def _encode_as(target: values_pb2.Value, tag: str, plain: object, level: int, deepest: int) -> None:
    if level > deepest:
        raise _too_deep(plain)
    target.tagged_value.type = tag
    _encode(target.tagged_value.value, plain, level + 2, deepest)


def _encode_datetime(target: values_pb2.Value, obj: datetime, level: int, deepest: int) -> None:
    if obj.tzinfo is not UTC:
        _encode_tagged(target, obj, BY_CLASS["datetime.datetime"], level, deepest)
        return
    since_epoch = obj - _EPOCH
    target.timestamp_value.seconds = since_epoch.days * 86_400 + since_epoch.seconds
    target.timestamp_value.nanos = since_epoch.microseconds * 1_000


def _encode_array(target: values_pb2.Value, obj: Any, level: int, deepest: int) -> None:
    try:
        write_array(obj, target.array_value)
    except (TypeError, ValueError) as error:
        raise _EncodeError(type(error), str(error)) from None


def _encode_circuit(target: values_pb2.Value, obj: Any, level: int, deepest: int) -> None:
    try:
        qpy.write_circuit(obj, target.circuit_value)
    except ValueError as error:
        raise _EncodeError(ValueError, f"is a circuit that cannot be sent: {error}") from error


def _encode_other(target: values_pb2.Value, obj: Any, level: int, deepest: int) -> None:
    """Finds how to encode a type that comes for the first time, and remembers it where it is one of ours."""
    cls = type(obj)
    encoder = _encoder_of(cls)
    if encoder is not None:
        _ENCODERS[cls] = encoder
        encoder(target, obj, level, deepest)
    elif callable(obj):
        name = getattr(obj, "__qualname__", _path(cls))
        warnings.warn(
            f"{name} is callable and cannot be sent: None takes its place", UserWarning, stacklevel=2
        )
        _encode_null(target, None, level, deepest)
    else:
        raise _EncodeError(TypeError, f"is a {_path(cls)}, which cannot be sent: send it as plain values")


def _encoder_of(cls: type) -> "_Encoder | None":
    if tagged := BY_CLASS.get(_path(cls)):
        return lambda target, obj, level, deepest: _encode_tagged(target, obj, tagged, level, deepest)
    if _path(cls) == "numpy.ndarray":
        return _encode_array
    # QPY writes what a circuit of the library holds; the class itself does not travel.
    if any(_path(base) == "qiskit.circuit.quantumcircuit.QuantumCircuit" for base in cls.__mro__):
        return _encode_circuit
    return None


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


_Encoder = Callable[[values_pb2.Value, Any, int, int], None]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_ENCODERS: Final[dict[type, _Encoder]] = {
    types.NoneType: _encode_null,
    bool: _encode_bool,
    int: _encode_int,
    float: _encode_float,
    complex: _encode_complex,
    str: _encode_str,
    bytes: _encode_bytes,
    list: _encode_list,
    dict: _encode_dict,
    datetime: _encode_datetime,
    Tagged: _encode_unknown_tag,
}
