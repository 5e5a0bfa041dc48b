"""Takes what is too large out of an encoded Value, into blobs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from aerlock.codec.blob_stream import varint
from aerlock.codec.blobs import LARGEST_BLOB_BYTES, BlobSink
from aerlock.codec.bounds import (
    MAX_BLOB_VALUES,
    MAX_BLOBS,
    MAX_DOCUMENT_VALUES,
    MAX_INLINE_BYTES,
    ValueBoundsError,
    check_count,
    check_tree,
)
from aerlock.v1.values_pb2 import MapValue, Value

LARGE_BYTES: Final = MAX_INLINE_BYTES
"""A leaf whose content is larger is never copied into a message: it becomes a blob where it lies."""

# What is worth a blob, where something has to go: each costs a round trip or two. Inputs that are
# still too large for their message without such Values give up smaller ones as well.
_WORTH_BYTES: Final = (64 << 10, 4 << 10, 256)
_REF_BYTES: Final = 80

_Sized = tuple[Value, int]
"""A Value and its bytes, which protobuf counts by writing it."""


class Large:
    """The leaves of one document that were too large to be copied into it.

    A placeholder stands for each in the document: a BlobRef with its size, and
    its position here instead of a digest.
    """

    def __init__(self) -> None:
        self._leaves: list[tuple[Value, list[bytes | memoryview]] | None] = []

    def add(self, target: Value, head: bytes, content: bytes | memoryview) -> None:
        """Lets ``target`` stand for the Value that serializes to head and content."""
        parts = [head, content]
        size = len(head) + len(content)
        target.blob_value.sha256 = f"{len(self._leaves):064x}"
        target.blob_value.size_bytes = size
        self._leaves.append((target, parts))

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._leaves)

    def fill_in(self, value: Value, size: int) -> None:
        """Copies those leaves that stand in ``value``, which takes ``size`` bytes, into it after all."""
        placeholders = list(_placeholders(value)) if self._leaves else []
        _check_blob_size(size + sum(one.blob_value.size_bytes for one in placeholders))
        for placeholder in placeholders:
            position = int(placeholder.blob_value.sha256, 16)
            leaf = self._leaves[position]
            assert leaf is not None  # noqa: S101 - each stands in one place
            self._leaves[position] = None
            placeholder.ParseFromString(b"".join(leaf[1]))

    def move(self, sink: BlobSink) -> int:
        """Makes blobs of those that are left; returns how many."""
        left = [leaf for leaf in self._leaves if leaf]
        for target, parts in left:
            target.blob_value.CopyFrom(sink.put(parts))
        return len(left)


def _placeholders(value: Value) -> Iterator[Value]:
    kind = value.WhichOneof("kind")
    if kind == "blob_value":
        yield value
    elif children := _CHILDREN.get(kind):
        for child in children(getattr(value, kind or "")):
            yield from _placeholders(child)


def head_of(size: int, *fields: int, before: bytes = b"") -> bytes:
    """Writes what stands before a content of ``size`` bytes.

    ``fields`` are the numbers of the fields around it, the outermost first;
    ``before`` are serialized fields beside the innermost.
    """
    *outer, innermost = fields
    head = before + varint(innermost << 3 | 2) + varint(size)
    for field in reversed(outer):
        head = varint(field << 3 | 2) + varint(len(head) + size) + head
    return head


def offload(value: Value, large: Large, sink: BlobSink) -> None:
    """Moves what is too large for a message from ``value`` into ``sink``; raises `ValueBoundsError`."""
    # Protobuf counts bytes by writing them, so what goes whole is written here already.
    data = value.SerializeToString()
    moved = _plan(value, len(data), _WORTH_BYTES[0])[1] if len(data) > MAX_INLINE_BYTES else []
    if len(moved) + large.count > MAX_BLOBS:
        moved = [(value, len(data))]
    if large.count or not moved or moved[0][0] is not value:
        _move(moved, large, sink)
    else:
        _check_blob_size(len(data))
        check_tree((value,), 1, most=MAX_BLOB_VALUES)
        value.blob_value.CopyFrom(sink.put([data]))


def offload_map(entries: MapValue, large: Large, sink: BlobSink) -> None:
    """Does the same for a map that has to stay one; raises `ValueBoundsError`.

    What remains may still be too large, where the map has very many small Values.
    """
    size = entries.ByteSize()
    moved: list[_Sized] = []
    for worth in _WORTH_BYTES:
        if size > MAX_INLINE_BYTES:
            size, moved = _plan_all((entry.value for entry in entries.entries), entries.ByteSize(), worth)
    if len(moved) + large.count > MAX_BLOBS:
        values = (entry.value for entry in entries.entries if entry.value.WhichOneof("kind") in _CHILDREN)
        moved = [(value, size) for value, size in map(_sized, values) if size > worth]
    _move(moved, large, sink)


def _move(moved: Sequence[_Sized], large: Large, sink: BlobSink) -> None:
    count = 0
    for value, size in moved:
        large.fill_in(value, size)
        count += check_tree((value,), 1, 1, MAX_BLOB_VALUES)[0]
        check_count(count, MAX_DOCUMENT_VALUES)
        value.blob_value.CopyFrom(sink.put([value.SerializeToString()]))
    if len(moved) + large.move(sink) > MAX_BLOBS:
        raise ValueBoundsError(
            f"has more than {MAX_BLOBS:,} values that are too large for a message: put several into one list"
        )


def _plan(value: Value, size: int, worth: int) -> tuple[int, list[_Sized]]:
    """Which Values go, and how many bytes remain: the smallest that are worth it, or else what holds them."""
    kind = value.WhichOneof("kind")
    if size <= worth or kind == "blob_value":
        return size, []
    children = _CHILDREN.get(kind)
    if children is None:
        return _REF_BYTES, [(value, size)]
    rest, moved = _plan_all(children(getattr(value, kind or "")), size, worth)
    return (rest, moved) if rest <= worth else (_REF_BYTES, [(value, size)])


def _plan_all(values: Iterable[Value], size: int, worth: int) -> tuple[int, list[_Sized]]:
    moved: list[_Sized] = []
    for value, own in map(_sized, values):
        if own > worth:
            rest, its = _plan(value, own, worth)
            size -= own - rest
            moved += its
    return size, moved


def _sized(value: Value) -> _Sized:
    return value, value.ByteSize()


def _check_blob_size(size: int) -> None:
    if size > LARGEST_BLOB_BYTES:
        raise ValueBoundsError(f"takes {size:,} bytes; at most {LARGEST_BLOB_BYTES:,} fit into one value")


_CHILDREN: Final[dict[str | None, Callable[[Any], Iterable[Value]]]] = {
    "list_value": lambda content: content.values,
    "map_value": lambda content: (entry.value for entry in content.entries),
    "tagged_value": lambda content: (content.value,),
}
