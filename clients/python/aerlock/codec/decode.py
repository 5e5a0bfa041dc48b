"""Values to Python objects, whoever wrote them: everything is checked before it is read."""

# ruff: noqa: ANN401  (an object of any type may come)

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.message import Message

from aerlock.codec import qpy
from aerlock.codec.arrays import fill_array, read_array
from aerlock.codec.blob_stream import Reader
from aerlock.codec.blobs import LARGEST_BLOB_BYTES, BlobSource, BlobWalker
from aerlock.codec.bounds import (
    LIST_LEVELS,
    MAP_LEVELS,
    MAX_BLOB_VALUES,
    MAX_DOCUMENT_VALUES,
    MAX_VALUES,
    SCALARS,
    TAGGED_LEVELS,
    ValueBoundsError,
    check_count,
    check_keys,
    check_leaf,
    check_level,
    check_size,
    discard_unknown_below,
)
from aerlock.codec.panics import is_failure
from aerlock.codec.registry import BY_TAG
from aerlock.codec.tagged import Tagged
from aerlock.v1 import values_pb2

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def from_value(value: values_pb2.Value, blobs: BlobSource | None = None) -> Any:
    """Decodes ``value``; ``blobs`` has the blobs that it refers to.

    Raises ValueError (`ValueBoundsError` where it is out of bounds) for anything
    that is not sound, ImportError naming the package to install where a circuit
    comes and Qiskit is absent, and what ``blobs`` raises. A tag that this version
    does not know gives a `Tagged`.
    """
    check_size(value.ByteSize())
    return _Decoder(_Document(blobs), MAX_VALUES).decode(value, 1)


def from_map(
    entries: values_pb2.MapValue, blobs: BlobSource | None = None, name: str = "inputs"
) -> dict[str, Any]:
    """Decodes the entries into a dict; raises as `from_value` does, with ``name`` and the entry's key."""
    check_size(entries.ByteSize())
    check_keys(entries)
    decoder = _Decoder(_Document(blobs), MAX_VALUES)
    # The map stands at level 2, below the Value that it would be the kind of.
    level = 1 + MAP_LEVELS
    decoder.enter(entries, len(entries.entries), level)
    found = {}
    for entry in entries.entries:
        with _located(f"{name}.{entry.key}"):
            found[entry.key] = decoder.decode(entry.value, level)
    return found


@contextmanager
def _located(path: str) -> Iterator[None]:
    """Puts the place in front of what is wrong there."""
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{path}: {error}") from error
    except ValueBoundsError as error:
        raise ValueBoundsError(f"{path}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


class _Document:
    """What is known while one document is decoded, with the blobs that it refers to."""

    def __init__(self, blobs: BlobSource | None) -> None:
        self._blobs = blobs
        self._opened: dict[str, tuple[Any, int]] = {}
        self._blob_bytes = 0
        self._values = 0
        # What the types remember, such as vectors of parameters.
        self.memory: dict[Any, Any] = {}

    def decode_blob(self, blob: values_pb2.BlobRef) -> Any:
        """Decodes what is in a blob; one that is named again is read once, and copied."""
        # What a small message makes of blobs that it names again and again has a bound, too.
        self._blob_bytes += blob.size_bytes
        if self._blob_bytes > LARGEST_BLOB_BYTES:
            raise ValueBoundsError(f"the blobs of one value take more than {LARGEST_BLOB_BYTES:,} bytes")
        if blob.sha256 in self._opened:
            found, count = self._opened[blob.sha256]
            self.count(count)
            return copy.deepcopy(found)
        if self._blobs is None:
            raise ValueBoundsError("a value lies in a blob, and there is nowhere to read it from")
        before = self._values
        with self._blobs.open(blob) as reader:
            found = _BlobDecoder(reader, blob.size_bytes, self).walk()
        self._opened[blob.sha256] = found, self._values - before
        return found

    def count(self, values: int) -> None:
        """Counts the Values of the message and of all its blobs."""
        self._values += values
        check_count(self._values, MAX_DOCUMENT_VALUES)

    def decode_tagged(self, tag: str, plain: Any) -> Any:
        """Makes what the tag says of the plainer object."""
        tagged = BY_TAG.get(tag)
        if tagged is None:
            return Tagged(tag, plain)
        try:
            return tagged.from_plain(plain, self.memory) if tagged.in_document else tagged.from_plain(plain)
        except ImportError as error:
            raise ImportError(f"a value of type {tag} needs Qiskit to be read: pip install qiskit") from error
        except BaseException as error:
            if isinstance(error, MemoryError) or not is_failure(error):
                raise
            raise ValueError(f"a value of type {tag} is malformed: {error}") from error


class _Decoder:
    """Decodes the Values of one message or one blob, and checks them on the way as `check_tree` does."""

    __slots__ = ("_count", "_most", "document")

    def __init__(self, document: _Document, most: int) -> None:
        self.document = document
        self._most = most
        self._count = 1

    def decode(self, value: values_pb2.Value, level: int) -> Any:
        """Decodes one Value that stands at a message level; raises as `from_value` does."""
        kind: Any = value.WhichOneof("kind")
        if kind in SCALARS:
            return None if kind == "null_value" else getattr(value, kind)
        if open_container := _CONTAINERS.get(kind):
            return open_container(getattr(value, kind), self, level)
        check_leaf(kind, value, level)
        return _LEAVES[kind](getattr(value, kind), self)

    def decode_each(self, values: Sequence[values_pb2.Value], level: int) -> list[Any]:
        """Decodes Values that stand beside each other; raises as `from_value` does."""
        if len(values) > 1 and values[0].HasField("circuit_value") and all(map(_is_circuit, values)):
            for value in values:
                check_leaf("circuit_value", value, level)
            return qpy.read_circuits([value.circuit_value for value in values])
        decode = self.decode
        return [decode(value, level) for value in values]

    def enter(self, content: Message, width: int, level: int) -> None:
        """Refuses ``width`` Values of a container at a level where that is more, or deeper, than may be."""
        discard_unknown_below(content, level)
        self.count(width)
        check_level(level if width else level - 1)

    def count(self, width: int) -> None:
        """Refuses ``width`` Values more where that is more than may be."""
        self._count += width
        check_count(self._count, self._most)
        self.document.count(width)

    def decode_blob(self, blob: values_pb2.BlobRef) -> Any:
        """Decodes what is in a blob; a blob has none in it."""
        if self._most == MAX_BLOB_VALUES:
            raise ValueBoundsError("a blob refers to another blob")
        return self.document.decode_blob(blob)


class _BlobDecoder(BlobWalker):
    """Makes objects of a blob while it is read; an array's data goes straight to its place."""

    def __init__(self, reader: Reader, size: int, document: _Document) -> None:
        super().__init__(reader, size)
        self._decoder = _Decoder(document, MAX_BLOB_VALUES)

    def on_small(self, values: Sequence[values_pb2.Value], level: int) -> Sequence[Any]:
        return self._decoder.decode_each(values, level)

    def on_count(self, count: int) -> None:
        self._decoder.count(count)

    def on_list(self, items: Iterator[Any]) -> Any:
        return list(items)

    def on_map(self, items: Iterator[tuple[str, Any]]) -> Any:
        return dict(items)

    def on_tagged(self, type_: str, value: Any) -> Any:
        return self._decoder.document.decode_tagged(type_, value)

    def on_array(self, array: values_pb2.Array, length: int) -> Any:
        made = fill_array(array, self.stream.readinto)
        if array.element_type == values_pb2.ELEMENT_TYPE_BOOL and length and made.view("u1").max() > 1:
            raise ValueBoundsError("an array of booleans holds a byte other than 0 and 1")
        return made

    def on_string(self, length: int) -> Any:
        try:
            return self.stream.read(length).decode()
        except UnicodeDecodeError as error:
            raise ValueBoundsError("a text is not UTF-8") from error

    def on_bytes(self, length: int) -> Any:
        return self.stream.read(length)

    def on_circuit(self, source: str, length: int) -> Any:
        circuit = values_pb2.Circuit()
        setattr(circuit, source, self.on_bytes(length) if source == "qpy" else self.on_string(length))
        return qpy.read_circuit(circuit)


def _decode_list(content: values_pb2.ListValue, decoder: _Decoder, level: int) -> list[Any]:
    values = content.values
    level += LIST_LEVELS
    decoder.enter(content, len(values), level)
    return decoder.decode_each(values, level)


def _decode_map(content: values_pb2.MapValue, decoder: _Decoder, level: int) -> dict[str, Any]:
    entries = content.entries
    level += MAP_LEVELS
    decoder.enter(content, len(entries), level)
    decode = decoder.decode
    found = {entry.key: decode(entry.value, level) for entry in entries}
    if len(found) != len(entries):
        check_keys(content)
    return found


def _decode_tagged(content: values_pb2.TaggedValue, decoder: _Decoder, level: int) -> Any:
    if not content.type:
        raise ValueBoundsError("a tagged value lacks its type")
    level += TAGGED_LEVELS
    decoder.enter(content, 1, level)
    return decoder.document.decode_tagged(content.type, decoder.decode(content.value, level))


def _is_circuit(value: values_pb2.Value) -> bool:
    return value.HasField("circuit_value")


def _decode_timestamp(content: Any, decoder: _Decoder) -> datetime:
    return _EPOCH + timedelta(seconds=content.seconds, microseconds=content.nanos // 1_000)


_CONTAINERS: Final[dict[str | None, Callable[[Any, _Decoder, int], Any]]] = {
    "list_value": _decode_list,
    "map_value": _decode_map,
    "tagged_value": _decode_tagged,
}
_LEAVES: Final[dict[str | None, Callable[[Any, _Decoder], Any]]] = {
    "big_int_value": lambda content, decoder: int(content),
    "complex_value": lambda content, decoder: complex(content.real, content.imag),
    "array_value": lambda content, decoder: read_array(content),
    "circuit_value": lambda content, decoder: qpy.read_circuit(content),
    "timestamp_value": _decode_timestamp,
    "blob_value": lambda content, decoder: decoder.decode_blob(content),
}
