"""Large Values: taken out of a message into blobs, and read from a blob in bounded memory.

A blob holds one serialized Value. Here it is walked by hand where it is large,
and handed to protobuf in pieces of at most `PIECE_BYTES` where it is small: so
reading a blob takes memory for what comes of it, and checking one takes none.
"""

import codecs
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

from google.protobuf.message import DecodeError

from aerlock.codec.blob_stream import PIECE_BYTES, Reader, Stream, unsound, varint
from aerlock.codec.bounds import (
    ITEM_SIZES,
    LIST_LEVELS,
    MAP_LEVELS,
    MAX_BLOB_VALUES,
    MAX_KEY_BYTES,
    TAGGED_LEVELS,
    ValueBoundsError,
    check_array,
    check_count,
    check_level,
    check_tree,
)
from aerlock.v1 import values_pb2
from aerlock.v1.values_pb2 import Array, BlobRef, ListValue, MapValue, Value

LARGEST_BLOB_BYTES: Final = (1 << 31) - 1
"""What every protobuf library can parse."""
_KEPT_KEY: Final = 64
"""Characters of a key that is kept to find it again; of a longer one the digest is."""


class BlobSink(Protocol):
    """Where an encoder leaves the Values that are too large for a message."""

    def put(self, parts: Sequence[bytes | memoryview]) -> BlobRef:
        """Takes one blob, which is the parts joined, and returns its reference.

        What the parts show must not change until the blob is where it belongs.
        """


class BlobSource(Protocol):
    """Where a decoder gets blobs from."""

    def open(self, blob: BlobRef) -> AbstractContextManager[Reader]:
        """Opens a blob for reading; asked once for each blob of a document, in the order of first mention."""


def check_blob(reader: Reader, size: int) -> None:
    """Reads a blob of ``size`` bytes to its end and refuses what is no sound Value.

    Raises `ValueBoundsError`. Takes a few pieces of memory and the keys of a map, whatever the blob claims.
    """
    BlobWalker(reader, size).walk()


class BlobWalker:
    """Walks the one Value of a blob and checks it; a subclass makes something of it.

    Every method called ``on_`` gets a Value, or the length of a content that it
    has to take from the stream, and returns what the Value becomes.
    """

    def __init__(self, reader: Reader, size: int) -> None:
        self.stream = Stream(reader, size)
        self._size = size
        self._count = 1

    def walk(self) -> Any:  # noqa: ANN401
        """Returns what the blob's Value becomes; raises `ValueBoundsError`."""
        try:
            return self._value(self._size, 1)
        except DecodeError as error:
            raise ValueBoundsError("a blob holds something that is no Value") from error

    def on_small(self, values: Sequence[Value], level: int) -> Sequence[Any]:
        """Takes whole Values that stand at a message level, and checks them; they are counted already."""
        self._count, blobs = check_tree(values, level, self._count, MAX_BLOB_VALUES)
        if blobs:
            raise unsound("a blob refers to another blob")
        return values

    def on_count(self, count: int) -> None:
        """Counts Values that come."""
        self._count += count
        check_count(self._count, MAX_BLOB_VALUES)

    def on_list(self, items: Iterator[Any]) -> Any:  # noqa: ANN401
        """Takes the items of a list, all of them, in their order."""
        for _ in items:
            pass

    def on_map(self, items: Iterator[tuple[str, Any]]) -> Any:  # noqa: ANN401
        """Takes the entries of a map, all of them, in their order."""
        for _ in items:
            pass

    def on_tagged(self, type_: str, value: Any) -> Any:  # noqa: ANN401
        """Takes a tag and what the value inside has become."""

    def on_array(self, array: Array, length: int) -> Any:  # noqa: ANN401
        """Takes an array, sound but for its data, of which ``length`` bytes follow."""
        is_bool = array.element_type == values_pb2.ELEMENT_TYPE_BOOL
        for chunk in self.stream.chunks(length):
            if is_bool and chunk.translate(None, b"\0\1"):
                raise ValueBoundsError("an array of booleans holds a byte other than 0 and 1")

    def on_string(self, length: int) -> Any:  # noqa: ANN401
        """Takes a text, of which ``length`` bytes of UTF-8 follow."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for chunk in self.stream.chunks(length):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise ValueBoundsError("a text is not UTF-8") from error

    def on_bytes(self, length: int) -> Any:  # noqa: ANN401
        """Takes ``length`` bytes that follow."""
        for _ in self.stream.chunks(length):
            pass

    def on_circuit(self, source: str, length: int) -> Any:  # noqa: ANN401
        """Takes a circuit's source, of which ``length`` bytes follow; ``source`` as in the oneof."""
        if source == "qpy":
            self.on_bytes(length)
        else:
            self.on_string(length)

    def _value(self, size: int, level: int) -> Any:  # noqa: ANN401
        if size <= PIECE_BYTES:
            return self._small(size, level)
        end = self.stream.position + size
        field, length = self.stream.field(end)
        if self.stream.position + length != end:
            raise unsound("a Value has more than its one field")
        kind = _LARGE_KINDS.get(field)
        if kind is None:
            raise unsound(f"a large Value has the field {field}, which cannot be large")
        return kind(self, length, level)

    def _small(self, size: int, level: int) -> Any:  # noqa: ANN401
        data = self.stream.read(size)
        value = Value.FromString(data)
        with _canonical(value, data):
            return self.on_small((value,), level)[0]

    def _list(self, length: int, level: int) -> Any:  # noqa: ANN401
        check_level(level + LIST_LEVELS)
        return self.on_list(self._items(self.stream.position + length, level + LIST_LEVELS))

    def _items(self, end: int, level: int) -> Iterator[Any]:
        while self.stream.position < end:
            if run := self.stream.run(end):
                items = ListValue.FromString(run)
                self.on_count(len(items.values))
                with _canonical(items, run):
                    found = self.on_small(items.values, level)
                yield from found
            else:
                self.on_count(1)
                yield self._value(self._length(1, end), level)

    def _map(self, length: int, level: int) -> Any:  # noqa: ANN401
        check_level(level + MAP_LEVELS)
        return self.on_map(self._entries(self.stream.position + length, level + MAP_LEVELS))

    def _entries(self, end: int, level: int) -> Iterator[tuple[str, Any]]:
        keys: set[str | bytes] = set()
        while self.stream.position < end:
            for key, value in self._some_entries(end, level):
                mark = key if len(key) <= _KEPT_KEY else hashlib.sha256(key.encode()).digest()
                if mark in keys:
                    raise unsound(f"a map has the key {key[:40]!r} twice")
                keys.add(mark)
                yield key, value

    def _some_entries(self, end: int, level: int) -> Iterator[tuple[str, Any]]:
        if run := self.stream.run(end):
            entries = MapValue.FromString(run)
            self.on_count(len(entries.entries))
            with _canonical(entries, run):
                values = self.on_small([entry.value for entry in entries.entries], level)
            yield from zip((entry.key for entry in entries.entries), values, strict=True)
        else:
            self.on_count(1)
            yield self._text_and_value(self._length(1, end), level)

    def _tagged(self, length: int, level: int) -> Any:  # noqa: ANN401
        check_level(level + TAGGED_LEVELS)
        self.on_count(1)
        tag, value = self._text_and_value(length, level + TAGGED_LEVELS)
        if not tag:
            raise unsound("a tagged value lacks its type")
        return self.on_tagged(tag, value)

    def _text_and_value(self, length: int, level: int) -> tuple[str, Any]:
        """Reads a message of a string with the number 1 and a Value with the number 2."""
        end = self.stream.position + length
        text = b""
        field, length = self.stream.field(end)
        if field == 1:
            if length > MAX_KEY_BYTES:
                raise ValueBoundsError(f"a key or a tag takes more than {MAX_KEY_BYTES:,} bytes")
            text = self.stream.read(length)
            field, length = self.stream.field(end)
        if field != 2 or self.stream.position + length != end:
            raise unsound("a map's entry or a tagged value has fields that are not its own")
        try:
            return text.decode(), self._value(length, level)
        except UnicodeDecodeError as error:
            raise ValueBoundsError("a key or a tag is not UTF-8") from error

    def _array(self, length: int, level: int) -> Any:  # noqa: ANN401
        check_level(level + 1)
        end = self.stream.position + length
        array = Array()
        while True:
            field, value = self.stream.field(end, numbers=(1,))
            if field == 1 and not array.element_type and value in ITEM_SIZES:
                array.element_type = value  # type: ignore[assignment]
            elif field == 2 and not array.shape and value <= PIECE_BYTES:
                array.MergeFromString(b"\x12" + varint(value) + self.stream.read(value))
            elif field == 3 and self.stream.position + value == end:
                check_array(array, value)
                return self.on_array(array, value)
            else:
                raise unsound("an array has unknown fields, or some twice or out of order")

    def _circuit(self, length: int, level: int) -> Any:  # noqa: ANN401
        check_level(level + 1)
        end = self.stream.position + length
        field, length = self.stream.field(end)
        source = _CIRCUIT_SOURCES.get(field)
        if source is None or self.stream.position + length != end:
            raise unsound("a circuit has other fields than its one source")
        return self.on_circuit(source, length)

    def _length(self, number: int, end: int) -> int:
        field, length = self.stream.field(end)
        if field != number:
            raise unsound(f"a list or a map has the unknown field {field}")
        return length


@contextmanager
def _canonical(message: Value | ListValue | MapValue, data: bytes) -> Iterator[None]:
    """Refuses unknown and repeated fields, another order, and long forms of numbers: no library writes them.

    Other parsers count unknown fields as nesting, and nothing else looks at them. What
    goes through the message inside discards those that lie too deep to be seen from here.
    """
    message.DiscardUnknownFields()
    yield
    if message.SerializeToString() != data:
        raise unsound("a Value has unknown fields, or is not in the form that protobuf libraries write")


_CIRCUIT_SOURCES: Final = {1: "qpy", 2: "openqasm3", 3: "openqasm2"}

_LARGE_KINDS: Final[dict[int, Callable[[Any, int, int], Any]]] = {
    6: lambda walker, length, level: walker.on_string(length),
    7: lambda walker, length, level: walker.on_bytes(length),
    8: BlobWalker._list,
    9: BlobWalker._map,
    11: BlobWalker._array,
    12: BlobWalker._circuit,
    15: BlobWalker._tagged,
}
"""The kinds of a Value that may be larger than a piece, by field number."""
