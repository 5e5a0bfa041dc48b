"""The bounds that every Value must keep, checked without numpy and without Qiskit.

Encoder, executor and gateway call `check_value`, so that nothing enters a job's
log that a protobuf parser with default limits cannot read.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from google.protobuf import timestamp_pb2
from google.protobuf.message import Message

from aerlock.v1 import values_pb2

MAX_DEPTH: Final = 80
"""Message levels that an encoded Value may nest, itself included."""
MAX_VALUES: Final = 262_144
"""Values in one message, at any depth."""
MAX_BLOB_VALUES: Final = 1_048_576
"""Values in one blob, at any depth."""
MAX_DOCUMENT_VALUES: Final = 4_194_304
"""Values in a message and in all the blobs that it refers to."""
MAX_INLINE_BYTES: Final = 1 << 20
"""Serialized size of one Value or of one MapValue of inputs."""
MAX_KEY_BYTES: Final = MAX_INLINE_BYTES
"""Length of a map's key, and of a tag."""
MAX_BIG_INT_CHARACTERS: Final = 4_300
MAX_DIMENSIONS: Final = 64
MAX_BLOBS: Final = 1_000
"""BlobRefs in one message."""

LIST_LEVELS: Final = 2
"""Message levels from a Value that is a list to its items."""
MAP_LEVELS: Final = 3
"""Message levels from a Value that is a map to the values of its entries."""
TAGGED_LEVELS: Final = 2
"""Message levels from a tagged Value to the value inside."""

_DISCARDED_LEVELS: Final = 48
"""Below it unknown fields are discarded anew: protobuf (upb) gives up 64 levels below where it began."""

MIN_VALUE_BYTES: Final = 2
"""The least that a message inside a message takes: one tag byte and one length byte."""

_SMALLEST_INT64, _LARGEST_INT64 = -(2**63), 2**63 - 1
# The first and last second that both protobuf and Python can name: years 1 and 9999.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
_BIG_INT = re.compile(r"-?[1-9][0-9]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")

ITEM_SIZES: Final[dict[int, int]] = {
    values_pb2.ELEMENT_TYPE_BOOL: 1,
    values_pb2.ELEMENT_TYPE_INT8: 1,
    values_pb2.ELEMENT_TYPE_INT16: 2,
    values_pb2.ELEMENT_TYPE_INT32: 4,
    values_pb2.ELEMENT_TYPE_INT64: 8,
    values_pb2.ELEMENT_TYPE_UINT8: 1,
    values_pb2.ELEMENT_TYPE_UINT16: 2,
    values_pb2.ELEMENT_TYPE_UINT32: 4,
    values_pb2.ELEMENT_TYPE_UINT64: 8,
    values_pb2.ELEMENT_TYPE_FLOAT16: 2,
    values_pb2.ELEMENT_TYPE_FLOAT32: 4,
    values_pb2.ELEMENT_TYPE_FLOAT64: 8,
    values_pb2.ELEMENT_TYPE_COMPLEX64: 8,
    values_pb2.ELEMENT_TYPE_COMPLEX128: 16,
}
"""Bytes of one element of an Array, by ElementType."""


class ValueBoundsError(ValueError):
    """A Value is malformed or beyond what a message may carry; the text says which bound."""


def check_value(value: values_pb2.Value, encoded_size: int) -> list[values_pb2.BlobRef]:
    """Refuses a Value that is malformed or out of bounds; returns the blobs that it refers to.

    ``encoded_size`` is the length of its serialized form in bytes. Each blob
    comes once, in the order in which they are named first, depth first. Raises
    `ValueBoundsError`. Never recurses. Unknown fields are discarded: no check sees
    them, and they count as nesting for those who parse what the Value is put into.
    """
    check_size(encoded_size)
    value.DiscardUnknownFields()
    return check_tree((value,), level=1)[1]


def check_map(entries: values_pb2.MapValue, encoded_size: int) -> list[values_pb2.BlobRef]:
    """Does for a MapValue, such as a job's inputs, what `check_value` does for a Value that holds it."""
    check_size(encoded_size)
    entries.DiscardUnknownFields()
    # The map stands at level 2, below the Value that it would be the kind of.
    return check_tree(_items_of_map(entries), level=4, count=len(entries.entries))[1]


def check_size(encoded_size: int) -> None:
    """Refuses a serialized size beyond `MAX_INLINE_BYTES`."""
    if encoded_size > MAX_INLINE_BYTES:
        raise ValueBoundsError(
            f"the value takes {encoded_size:,} bytes; at most {MAX_INLINE_BYTES:,} fit into one message: "
            "larger ones travel as blobs"
        )


def check_blob_ref(blob: values_pb2.BlobRef) -> None:
    """Refuses a BlobRef that is not of its form; raises `ValueBoundsError`."""
    if not _SHA256.fullmatch(blob.sha256):
        raise ValueBoundsError("a blob's sha256 is not 64 lower-case hexadecimal digits")
    if blob.size_bytes < 1:
        raise ValueBoundsError(f"a blob's size_bytes is {blob.size_bytes}; it must be at least 1")


def check_tree(
    values: Iterable[values_pb2.Value], level: int, count: int = 1, most: int = MAX_VALUES
) -> tuple[int, list[values_pb2.BlobRef]]:
    """Checks ``values``, which stand at message level ``level``, and all below, depth first.

    ``count`` Values are known already, of at most ``most``. Returns how many
    there are in all, and their BlobRefs as `check_value` does. Where a caller
    has discarded unknown fields above, this does so at the levels that were out of reach.
    """
    blobs: dict[str, values_pb2.BlobRef] = {}
    pending = [(iter(values), level)]
    while pending:
        items, level = pending[-1]
        for value in items:
            kind = value.WhichOneof("kind")
            if kind in SCALARS:
                continue
            container = _CONTAINERS.get(kind)
            if container is None:
                check_leaf(kind, value, level)
                if kind == "blob_value":
                    _add_blob(blobs, value.blob_value)
                continue
            below, items_of = container
            inner = items_of(value)
            count += len(inner)
            check_count(count, most)
            check_level(level + below if inner else level + 1)
            discard_unknown_below(value, level)
            pending.append((iter(inner), level + below))
            break
        else:
            pending.pop()
    return count, list(blobs.values())


def _add_blob(blobs: dict[str, values_pb2.BlobRef], blob: values_pb2.BlobRef) -> None:
    if blobs.setdefault(blob.sha256, blob).size_bytes != blob.size_bytes:
        raise ValueBoundsError("a blob has two different sizes")
    if len(blobs) > MAX_BLOBS:
        raise ValueBoundsError(f"more than {MAX_BLOBS:,} blobs in one message: put more into one value")


def check_count(count: int, most: int = MAX_VALUES) -> None:
    """Refuses more Values than one message, or one blob, may hold."""
    if count > most:
        raise ValueBoundsError(
            f"more than {most:,} values in one: send numpy arrays instead of lists of numbers"
        )


def check_level(level: int) -> None:
    """Refuses a message level beyond `MAX_DEPTH`."""
    if level > MAX_DEPTH:
        raise ValueBoundsError(f"nested deeper than {MAX_DEPTH} message levels (about 35 lists or dicts)")


def discard_unknown_below(message: Message, level: int) -> None:
    """Discards unknown fields of a message at a level that is out of reach for those who began at the top.

    They count as nesting for every parser, so none may be left in what is handed on.
    """
    if level > _DISCARDED_LEVELS:
        message.DiscardUnknownFields()


def check_leaf(kind: str | None, value: values_pb2.Value, level: int) -> None:
    """Refuses a Value of a kind that holds no others, at message level ``level``; ``kind`` is its own."""
    if kind is None:
        raise ValueBoundsError("a Value has no kind set, or one that this version does not know")
    check_level(level + (kind in _MESSAGE_LEAVES))
    if check := _LEAF_CHECKS.get(kind):
        check(getattr(value, kind))


def _items_of_map(content: values_pb2.MapValue) -> list[values_pb2.Value]:
    # An entry without a value gives a Value without a kind, which is refused as such.
    keys, values = set(), []
    for entry in content.entries:
        keys.add(entry.key)
        values.append(entry.value)
    if len(keys) != len(values):
        check_keys(content)
    return values


def check_keys(content: values_pb2.MapValue) -> None:
    """Refuses a map that has a key twice."""
    keys = {entry.key for entry in content.entries}
    if len(keys) != len(content.entries):
        ((key, _),) = Counter(entry.key for entry in content.entries).most_common(1)
        raise ValueBoundsError(f"a map has the key {_shortened(key)} twice")


def _item_of_tag(content: values_pb2.TaggedValue) -> list[values_pb2.Value]:
    if not content.type:
        raise ValueBoundsError("a tagged value lacks its type")
    return [content.value]


# For each container: the message levels from it to its items, and these.
_CONTAINERS: Final[dict[str | None, tuple[int, Callable[[values_pb2.Value], Sequence[values_pb2.Value]]]]] = {
    "list_value": (LIST_LEVELS, lambda value: value.list_value.values),
    "map_value": (MAP_LEVELS, lambda value: _items_of_map(value.map_value)),
    "tagged_value": (TAGGED_LEVELS, lambda value: _item_of_tag(value.tagged_value)),
}


def _check_big_int(digits: str) -> None:
    if len(digits) > MAX_BIG_INT_CHARACTERS:
        raise ValueBoundsError(f"an integer has more than {MAX_BIG_INT_CHARACTERS:,} digits")
    if not _BIG_INT.fullmatch(digits):
        raise ValueBoundsError(f"big_int_value {_shortened(digits)} is not a plain decimal integer")
    # 2**63 has 19 digits: only up to there can a number belong into int_value.
    if len(digits) <= 20 and _SMALLEST_INT64 <= int(digits) <= _LARGEST_INT64:
        raise ValueBoundsError(f"big_int_value {digits} fits int_value and must be one")


def check_array(array: values_pb2.Array, data_bytes: int) -> None:
    """Refuses an array whose type, shape and ``data_bytes`` bytes of data do not fit together."""
    item_size = ITEM_SIZES.get(array.element_type)
    if item_size is None:
        raise ValueBoundsError(f"an array has the unknown element type {array.element_type}")
    if len(array.shape) > MAX_DIMENSIONS:
        raise ValueBoundsError(
            f"an array has {len(array.shape):,} dimensions; at most {MAX_DIMENSIONS} are allowed"
        )
    size = addressed = item_size
    for length in array.shape:
        if length < 0:
            raise ValueBoundsError(f"an array has a dimension of negative length {length}")
        size *= length
        addressed *= length or 1
    # Languages compute strides from the lengths that are not zero, in 64 bits.
    if addressed > _LARGEST_INT64:
        raise ValueBoundsError(f"an array of shape {list(array.shape)} cannot be addressed")
    if data_bytes != size:
        raise ValueBoundsError(
            f"an array of shape {list(array.shape)} needs {size:,} bytes of data and has {data_bytes:,}"
        )


def _check_whole_array(array: values_pb2.Array) -> None:
    data = array.data
    check_array(array, len(data))
    if array.element_type == values_pb2.ELEMENT_TYPE_BOOL and data.translate(None, b"\0\1"):
        raise ValueBoundsError("an array of booleans holds a byte other than 0 and 1")


def _check_circuit(circuit: values_pb2.Circuit) -> None:
    if circuit.WhichOneof("source") is None:
        raise ValueBoundsError("a circuit has no source set: set qpy, openqasm3 or openqasm2")


def _check_timestamp(timestamp: timestamp_pb2.Timestamp) -> None:
    if not (_FIRST_SECOND <= timestamp.seconds <= _LAST_SECOND and 0 <= timestamp.nanos < 1_000_000_000):
        raise ValueBoundsError(
            "a timestamp lies outside the years 1 to 9999, or its nanos outside 0 to 999,999,999"
        )


SCALARS: Final[frozenset[str | None]] = frozenset(
    {"null_value", "bool_value", "int_value", "double_value", "string_value", "bytes_value"}
)
_MESSAGE_LEAVES: Final = frozenset(
    {"complex_value", "array_value", "circuit_value", "timestamp_value", "blob_value"}
)
_LEAF_CHECKS: Final[dict[str, Callable[[Any], None]]] = {
    "big_int_value": _check_big_int,
    "array_value": _check_whole_array,
    "circuit_value": _check_circuit,
    "timestamp_value": _check_timestamp,
    "blob_value": check_blob_ref,
}


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
