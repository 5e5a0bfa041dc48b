"""Values to Python objects, whoever wrote them: everything is checked before it is read."""

# ruff: noqa: ANN401  (an object of any type may come)

import copy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aerlock.codec import qpy
from aerlock.codec.arrays import fill_array, read_array
from aerlock.codec.blob_stream import Reader
from aerlock.codec.blobs import BlobSource, BlobWalker
from aerlock.codec.bounds import ValueBoundsError, check_map, check_value
from aerlock.codec.tagged import BY_TAG, Tagged
from aerlock.v1 import values_pb2

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def from_value(value: values_pb2.Value, blobs: BlobSource | None = None) -> Any:
    """Decodes ``value``; ``blobs`` has the blobs that it refers to.

    Raises ValueError (`ValueBoundsError` where it is out of bounds) for anything
    that is not sound, ImportError naming the package to install where a circuit
    comes and Qiskit is absent, and what ``blobs`` raises. A tag that this version
    does not know gives a `Tagged`.
    """
    check_value(value, value.ByteSize())
    return _Decoding(blobs).decode(value)


def from_map(entries: values_pb2.MapValue, blobs: BlobSource | None = None) -> dict[str, Any]:
    """Decodes the entries into a dict; raises as `from_value` does."""
    check_map(entries, entries.ByteSize())
    return _decode_map(entries, _Decoding(blobs))


class _Decoding:
    """What is known while one document is decoded."""

    def __init__(self, blobs: BlobSource | None) -> None:
        self._blobs = blobs
        self._opened: dict[str, Any] = {}

    def decode(self, value: values_pb2.Value) -> Any:
        """Decodes one Value that has been checked."""
        kind = value.WhichOneof("kind")
        content = getattr(value, kind)  # type: ignore[arg-type]  # check_value refuses a Value without a kind
        decoder = _DECODERS.get(kind)
        return content if decoder is None else decoder(content, self)

    def decode_blob(self, blob: values_pb2.BlobRef) -> Any:
        """Decodes what is in a blob; one that is named again is read once, and copied."""
        if blob.sha256 in self._opened:
            return copy.deepcopy(self._opened[blob.sha256])
        if self._blobs is None:
            raise ValueBoundsError("a value lies in a blob, and there is nowhere to read it from")
        with self._blobs.open(blob) as reader:
            found = self._opened[blob.sha256] = _BlobDecoder(reader, blob.size_bytes, self).walk()
        return found

    def decode_tagged(self, tag: str, plain: Any) -> Any:
        """Makes what the tag says of the plainer object."""
        tagged = BY_TAG.get(tag)
        if tagged is None:
            return Tagged(tag, plain)
        try:
            return tagged.from_plain(plain)
        except ImportError as error:
            raise ImportError(f"a value of type {tag} needs Qiskit to be read: pip install qiskit") from error
        except Exception as error:
            raise ValueError(f"a value of type {tag} is malformed: {error}") from error


class _BlobDecoder(BlobWalker):
    """Makes objects of a blob while it is read; an array's data goes straight to its place."""

    def __init__(self, reader: Reader, size: int, decoding: _Decoding) -> None:
        super().__init__(reader, size)
        self._decoding = decoding
        self.on_small = decoding.decode  # type: ignore[method-assign]

    def on_list(self, items: Iterator[Any]) -> Any:
        return list(items)

    def on_map(self, items: Iterator[tuple[str, Any]]) -> Any:
        return dict(items)

    def on_tagged(self, type_: str, value: Any) -> Any:
        return self._decoding.decode_tagged(type_, value)

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


def _decode_list(content: values_pb2.ListValue, decoding: _Decoding) -> list[Any]:
    return [decoding.decode(item) for item in content.values]


def _decode_map(content: values_pb2.MapValue, decoding: _Decoding) -> dict[str, Any]:
    return {entry.key: decoding.decode(entry.value) for entry in content.entries}


def _decode_timestamp(content: Any, decoding: _Decoding) -> datetime:
    return _EPOCH + timedelta(seconds=content.seconds, microseconds=content.nanos // 1_000)


def _decode_tagged(content: values_pb2.TaggedValue, decoding: _Decoding) -> Any:
    return decoding.decode_tagged(content.type, decoding.decode(content.value))


# Kinds that are not here are Python's own objects already.
_DECODERS: Final[dict[str | None, Callable[[Any, _Decoding], Any]]] = {
    "null_value": lambda content, decoding: None,
    "big_int_value": lambda content, decoding: int(content),
    "list_value": _decode_list,
    "map_value": _decode_map,
    "complex_value": lambda content, decoding: complex(content.real, content.imag),
    "array_value": lambda content, decoding: read_array(content),
    "circuit_value": lambda content, decoding: qpy.read_circuit(content),
    "timestamp_value": _decode_timestamp,
    "blob_value": lambda content, decoding: decoding.decode_blob(content),
    "tagged_value": _decode_tagged,
}
