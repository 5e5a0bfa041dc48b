"""How each type is written into a Value: one function for each, in one table by exact type.

The kinds that protobuf has are written straight into the message, since
`publish` is a hot path; every other type goes through the registry in
`aerlock.codec.tagged`.
"""

# ruff: noqa: ANN401  (an object of any type may come)

import types
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from aerlock.codec.arrays import describe_array, is_plain, numbers_to_array, write_array
from aerlock.codec.blobs import LARGEST_BLOB_BYTES
from aerlock.codec.bounds import (
    MAX_BIG_INT_CHARACTERS,
    MAX_INLINE_BYTES,
    MAX_KEY_BYTES,
    TAGGED_LEVELS,
    ValueBoundsError,
)
from aerlock.codec.circuit_notes import Note
from aerlock.codec.encode_errors import EncodeError, step_to, too_deep
from aerlock.codec.encode_options import EncodeOptions
from aerlock.codec.offload import LARGE_BYTES, Large, head_of
from aerlock.codec.panics import is_failure
from aerlock.codec.registry import BY_CLASS
from aerlock.codec.tagged import Tagged, TaggedType, path_of
from aerlock.codec.types.circuits import CIRCUIT_TAG, INSTRUCTION, INSTRUCTION_BASES, Qpy, write_with_notes
from aerlock.codec.types.numpy import array_to_tagged
from aerlock.codec.types.python import DICT, LIST, TUPLE
from aerlock.codec.user_classes import REGISTERED, on_register, plain_form, refusal
from aerlock.codec.versions import OLDEST_CODEC_VERSION
from aerlock.v1 import values_pb2

# Field numbers, of values.proto.
_STRING: Final = values_pb2.Value.STRING_VALUE_FIELD_NUMBER
_BYTES: Final = values_pb2.Value.BYTES_VALUE_FIELD_NUMBER
_ARRAY: Final = values_pb2.Value.ARRAY_VALUE_FIELD_NUMBER
_ARRAY_DATA: Final = values_pb2.Array.DATA_FIELD_NUMBER
_CIRCUIT: Final = values_pb2.Value.CIRCUIT_VALUE_FIELD_NUMBER
_CIRCUIT_QPY: Final = values_pb2.Circuit.QPY_FIELD_NUMBER
NUMBERS: Final = 1_024
"""A list of as many items or more, all float, int or bool, travels as an array: in a tenth of the time."""
# A key of as many characters fits, whatever they are.
_SHORT_KEY: Final = MAX_KEY_BYTES // 4
_ONLY_STR: Final[frozenset[type]] = frozenset({str})


class Encoding:
    """What is known while one document is encoded."""

    __slots__ = ("callables", "circuits", "deepest", "large", "options")

    def __init__(self, options: EncodeOptions, deepest: int) -> None:
        self.options = options
        self.deepest = deepest
        self.large = Large()
        self.callables: list[Any] = []
        # A circuit that comes again is written once; the object is kept so that its id stays its own.
        self.circuits: dict[int, tuple[Any, Qpy, list[Note]]] = {}


def encode(target: values_pb2.Value, obj: Any, level: int, encoding: Encoding) -> None:
    """Writes any object into ``target``, which stands at a message level; raises `EncodeError`."""
    (_ENCODERS.get(type(obj)) or _encode_other)(target, obj, level, encoding)


def _encode_null(target: values_pb2.Value, obj: None, level: int, encoding: Encoding) -> None:
    target.null_value = 0  # type: ignore[assignment]


def _encode_bool(target: values_pb2.Value, obj: bool, level: int, encoding: Encoding) -> None:
    target.bool_value = obj


def _encode_int(target: values_pb2.Value, obj: int, level: int, encoding: Encoding) -> None:
    if -0x8000000000000000 <= obj <= 0x7FFFFFFFFFFFFFFF:
        target.int_value = obj
        return
    # Python refuses to write more digits than the wire may carry, unless told otherwise.
    try:
        digits = str(obj)
    except ValueError:
        digits = ""
    if not 0 < len(digits) <= MAX_BIG_INT_CHARACTERS:
        raise EncodeError(ValueBoundsError, f"is an integer of more than {MAX_BIG_INT_CHARACTERS:,} digits")
    target.big_int_value = digits


def _encode_float(target: values_pb2.Value, obj: float, level: int, encoding: Encoding) -> None:
    target.double_value = obj


def _encode_complex(target: values_pb2.Value, obj: complex, level: int, encoding: Encoding) -> None:
    target.complex_value.SetInParent()
    target.complex_value.real = obj.real
    target.complex_value.imag = obj.imag


def _encode_str(target: values_pb2.Value, obj: str, level: int, encoding: Encoding) -> None:
    try:
        if len(obj) > LARGE_BYTES:
            content = obj.encode()
            _encode_large(target, head_of(len(content), _STRING), content, encoding)
        else:
            target.string_value = obj
    except UnicodeEncodeError:
        raise EncodeError(
            ValueError, "holds half of a surrogate pair, which is no text: send bytes"
        ) from None


def _encode_bytes(target: values_pb2.Value, obj: bytes, level: int, encoding: Encoding) -> None:
    if len(obj) > LARGE_BYTES:
        _encode_large(target, head_of(len(obj), _BYTES), obj, encoding)
    else:
        target.bytes_value = obj


def _encode_large(
    target: values_pb2.Value, head: bytes, content: bytes | memoryview, encoding: Encoding
) -> None:
    """Encodes a leaf without copying it; ``head`` and content are its Value, serialized."""
    _check_large(len(head) + len(content), encoding)
    encoding.large.add(target, head, content)


def _check_large(size: int, encoding: Encoding) -> None:
    """Refuses a leaf of more bytes than fit into a blob, or into a message where there are no blobs."""
    most, whole = MAX_INLINE_BYTES, "one message"
    if encoding.options.blobs is not None:
        most, whole = LARGEST_BLOB_BYTES, "one value"
    if size > most:
        raise EncodeError(ValueBoundsError, f"takes {size:,} bytes; at most {most:,} fit into {whole}")


def _encode_tuple(target: values_pb2.Value, obj: tuple[Any, ...], level: int, encoding: Encoding) -> None:
    # As every tagged type, but without a list in between: tuples are common, and a publish is a hot path.
    if level > encoding.deepest:
        raise too_deep(obj)
    target.tagged_value.type = TUPLE.tag
    _encode_list(target.tagged_value.value, obj, level + TAGGED_LEVELS, encoding)


def _encode_list(
    target: values_pb2.Value, obj: list[Any] | tuple[Any, ...], level: int, encoding: Encoding
) -> None:
    if len(obj) >= NUMBERS and (numbers := numbers_to_array(obj)) is not None:
        _encode_as(target, LIST.tag, numbers, level, encoding)
        return
    target.list_value.SetInParent()
    if level > encoding.deepest:
        raise too_deep(obj)
    add, encoder_of = target.list_value.values.add, _ENCODERS.get
    position = 0
    try:
        for item in obj:
            (encoder_of(type(item)) or _encode_other)(add(), item, level + 2, encoding)
            position += 1
    except EncodeError as error:
        error.add_step(f"[{position}]", obj)
        raise


def _encode_dict(target: values_pb2.Value, obj: dict[Any, Any], level: int, encoding: Encoding) -> None:
    if not set(map(type, obj)) <= _ONLY_STR:
        _encode_tagged(target, obj, DICT, level, encoding)
        return
    target.map_value.SetInParent()
    if level > encoding.deepest:
        raise too_deep(obj)
    add, encoder_of = target.map_value.entries.add, _ENCODERS.get
    key = ""
    try:
        for key, item in obj.items():
            entry = add()
            entry.key = key if len(key) <= _SHORT_KEY else _checked_key(key)
            (encoder_of(type(item)) or _encode_other)(entry.value, item, level + 3, encoding)
    except EncodeError as error:
        error.add_step(step_to(key), obj)
        raise
    except UnicodeEncodeError:
        raise EncodeError(
            ValueError, f"has the key {key!r} with half of a surrogate pair: it is no text"
        ) from None


def _checked_key(key: str) -> str:
    if len(key.encode()) > MAX_KEY_BYTES:
        raise EncodeError(ValueBoundsError, f"is a key of more than {MAX_KEY_BYTES:,} bytes")
    return key


def _encode_tagged(
    target: values_pb2.Value, obj: Any, tagged: TaggedType, level: int, encoding: Encoding
) -> None:
    reader = encoding.options.codec_version if tagged.since > OLDEST_CODEC_VERSION else None
    if reader is not None and reader < tagged.since:
        raise EncodeError(
            ValueError,
            f"needs a server that reads codec version {tagged.since} and this one reads {reader}:"
            " upgrade Aerlock on the server, or send it as plain values",
        )
    try:
        plain = tagged.to_plain(obj)
    except BaseException as error:
        if not is_failure(error):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise EncodeError(kind, f"cannot be sent as {tagged.tag}: {error}") from error
    _encode_as(target, tagged.tag, plain, level, encoding)


def _encode_unknown_tag(target: values_pb2.Value, obj: Tagged, level: int, encoding: Encoding) -> None:
    if type(obj.type) is not str or not obj.type:
        raise EncodeError(TypeError, "is a Tagged whose type is not a text")
    try:
        too_long = len(obj.type.encode()) > MAX_KEY_BYTES
    except UnicodeEncodeError:
        raise EncodeError(ValueError, "is a Tagged whose type holds half of a surrogate pair") from None
    if too_long:
        raise EncodeError(ValueBoundsError, f"is a Tagged whose type has more than {MAX_KEY_BYTES:,} bytes")
    _encode_as(target, obj.type, obj.value, level, encoding)


def _encode_as(target: values_pb2.Value, tag: str, plain: object, level: int, encoding: Encoding) -> None:
    if level > encoding.deepest:
        raise too_deep(plain)
    target.tagged_value.type = tag
    encode(target.tagged_value.value, plain, level + 2, encoding)


def _encode_datetime(target: values_pb2.Value, obj: datetime, level: int, encoding: Encoding) -> None:
    if obj.tzinfo is not UTC or obj.fold:
        _encode_tagged(target, obj, BY_CLASS["datetime.datetime"], level, encoding)
        return
    since_epoch = obj - _EPOCH
    target.timestamp_value.seconds = since_epoch.days * 86_400 + since_epoch.seconds
    target.timestamp_value.nanos = since_epoch.microseconds * 1_000


def _encode_array(target: values_pb2.Value, obj: Any, level: int, encoding: Encoding) -> None:
    if not is_plain(obj):
        try:
            tagged = array_to_tagged(obj)
        except TypeError as error:
            raise EncodeError(TypeError, str(error)) from None
        _encode_as(target, tagged.type, tagged.value, level, encoding)
    elif obj.nbytes <= LARGE_BYTES:
        write_array(obj, target.array_value)
    else:
        # Before it is copied, which is what an array needs that does not lie in rows.
        _check_large(obj.nbytes, encoding)
        description, content = describe_array(obj)
        head = head_of(len(content), _ARRAY, _ARRAY_DATA, before=description.SerializeToString())
        _encode_large(target, head, content, encoding)


def _encode_circuit(target: values_pb2.Value, obj: Any, level: int, encoding: Encoding) -> None:
    written = encoding.circuits.get(id(obj))
    if written is None:
        try:
            written = (obj, *write_with_notes(obj, encoding.options.qpy_version))
        except BaseException as error:  # an operation may show its faults only when Qiskit makes it
            if not is_failure(error):
                raise
            raise EncodeError(ValueError, f"is a circuit that cannot be sent: {error}") from error
        encoding.circuits[id(obj)] = written
    _, content, notes = written
    if notes:
        _encode_as(target, CIRCUIT_TAG, {"circuit": content, "notes": notes}, level, encoding)
    else:
        _encode_qpy(target, content, level, encoding)


def _encode_qpy(target: values_pb2.Value, obj: Qpy, level: int, encoding: Encoding) -> None:
    if len(obj) > LARGE_BYTES:
        _encode_large(target, head_of(len(obj), _CIRCUIT, _CIRCUIT_QPY), obj, encoding)
    else:
        target.circuit_value.qpy = obj


def _encode_other(target: values_pb2.Value, obj: Any, level: int, encoding: Encoding) -> None:
    """Finds how to encode a type that comes for the first time, and remembers it where it can be sent."""
    cls = type(obj)
    encoder = _encoder_of(obj)
    if encoder is not None:
        _ENCODERS[cls] = encoder
        encoder(target, obj, level, encoding)
    elif callable(obj):
        encoding.callables.append(obj)
        _encode_null(target, None, level, encoding)
    else:
        raise EncodeError(TypeError, refusal(obj))


def _encoder_of(obj: Any) -> "_Encoder | None":
    cls = type(obj)
    if tagged := REGISTERED.get(cls) or BY_CLASS.get(path_of(cls)):
        return lambda target, obj, level, encoding: _encode_tagged(target, obj, tagged, level, encoding)
    if path_of(cls) == "numpy.ndarray":
        return _encode_array
    bases = {path_of(base) for base in cls.__mro__}
    # QPY writes what a circuit of the library holds; the class itself does not travel.
    if "qiskit.circuit.quantumcircuit.QuantumCircuit" in bases:
        return _encode_circuit
    if bases & INSTRUCTION_BASES:
        return lambda target, obj, level, encoding: _encode_tagged(target, obj, INSTRUCTION, level, encoding)
    if (to_plain := plain_form(obj)) is not None:
        return lambda target, obj, level, encoding: _encode_plain(target, obj, to_plain, level, encoding)
    return None


def _encode_plain(
    target: values_pb2.Value, obj: Any, to_plain: Callable[[Any], object], level: int, encoding: Encoding
) -> None:
    """Encodes what an object makes of itself, in its place."""
    if level > encoding.deepest:
        raise too_deep(obj)
    try:
        plain = to_plain(obj)
    except Exception as error:
        raise EncodeError(ValueError, f"cannot be made plain: {error}") from error
    try:
        encode(target, plain, level, encoding)
    except EncodeError as error:
        error.containers.append(obj)
        error.path.append("")
        raise


_Encoder = Callable[[values_pb2.Value, Any, int, Encoding], None]

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
    tuple: _encode_tuple,
    dict: _encode_dict,
    datetime: _encode_datetime,
    Tagged: _encode_unknown_tag,
    Qpy: _encode_qpy,
}


def _forget(cls: type) -> None:
    _ENCODERS.pop(cls, None)


on_register(_forget)
