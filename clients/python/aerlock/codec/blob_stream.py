"""The bytes of a blob, taken in their order: numbers, fields, and runs of small fields."""

from collections.abc import Collection, Iterator
from typing import Final, Protocol

from aerlock.codec.bounds import ValueBoundsError

PIECE_BYTES: Final = 64 << 10
"""Bytes that are buffered, and the size up to which a Value is parsed whole."""

_VARINT: Final = 0
_LENGTH_DELIMITED: Final = 2


class Reader(Protocol):
    """A binary stream, such as an unbuffered file."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fills a part of ``buffer`` and returns how much; 0 at the end."""


class Stream:
    """The bytes of a blob in their order, never beyond its end; every method may raise `ValueBoundsError`."""

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader = reader
        self._unread = size
        self._block = b""
        self._start = 0
        self.position = 0
        """How many bytes have been taken."""

    def field(self, end: int, numbers: Collection[int] = ()) -> tuple[int, int]:
        """Takes a field's number and the length of its content, which lies before ``end``.

        Fields in ``numbers`` hold a number instead: it is taken and returned.
        """
        tag = self._varint()
        field, wire_type = tag >> 3, tag & 7
        if wire_type != (_VARINT if field in numbers else _LENGTH_DELIMITED):
            raise unsound(f"the field {field} is not of its type")
        value = self._varint()
        if self.position + (0 if field in numbers else value) > end:
            raise unsound("a field is longer than what holds it")
        return field, value

    def read(self, count: int) -> bytes:
        """Takes exactly ``count`` bytes."""
        if count <= len(self._block) - self._start:
            self._start += count
            self.position += count
            return self._block[self._start - count : self._start]
        buffer = bytearray(count)
        self.readinto(memoryview(buffer))
        return bytes(buffer)

    def readinto(self, buffer: memoryview) -> None:
        """Fills ``buffer``, straight from the reader but for what is buffered."""
        head = self._block[self._start : self._start + len(buffer)]
        buffer[: len(head)] = head
        self._start += len(head)
        self.position += len(buffer)
        rest = buffer[len(head) :]
        if len(rest) > self._unread:
            raise unsound("it is cut short")
        while rest:
            count = self._reader.readinto(rest)
            if not count:
                raise unsound("it is cut short")
            self._unread -= count
            rest = rest[count:]

    def chunks(self, count: int) -> Iterator[bytes]:
        """Takes ``count`` bytes in pieces."""
        while count > 0:
            chunk = self.read(min(count, PIECE_BYTES))
            count -= len(chunk)
            yield chunk

    def run(self, end: int) -> bytes:
        """Takes as many whole fields with the number 1 as are buffered; none where the next one is large."""
        self._fill()
        block, start = self._block, self._start
        limit = min(len(block), start + end - self.position)
        position = start
        while position + 1 < limit and block[position] == 0x0A:
            length, following = block[position + 1], position + 2
            if length > 0x7F:
                length, following = _length_at(block, position + 1, limit)
            if following + length > limit:
                break
            position = following + length
        self._start = position
        self.position += position - start
        return block[start:position]

    def _varint(self) -> int:
        """Takes a varint, which must be a number below 2**63 in its shortest form."""
        number = shift = 0
        while shift < 63:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                if not byte and shift > 7:
                    break
                return number
        raise unsound("a number is not in its shortest form")

    def _byte(self) -> int:
        if self._start == len(self._block):
            self._fill()
            if self._start == len(self._block):
                raise unsound("it is cut short")
        self._start += 1
        self.position += 1
        return self._block[self._start - 1]

    def _fill(self) -> None:
        """Buffers up to a piece, so that a run of small fields is found whole."""
        have = len(self._block) - self._start
        wanted = min(PIECE_BYTES - have, self._unread)
        if wanted <= 0:
            return
        buffer = bytearray(wanted)
        view = memoryview(buffer)
        while view:
            count = self._reader.readinto(view)
            if not count:
                raise unsound("it is cut short")
            view = view[count:]
        self._unread -= wanted
        self._block = self._block[self._start :] + bytes(buffer)
        self._start = 0


def _length_at(block: bytes, position: int, limit: int) -> tuple[int, int]:
    """Gives the length that stands there, in up to three bytes, and where it ends; otherwise one too long."""
    length = 0
    for shift in (0, 7, 14):
        if position == limit:
            break
        byte = block[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return length, position
    return limit, position


def unsound(problem: str) -> ValueBoundsError:
    """The error for a blob that is not what it should be."""
    return ValueBoundsError(f"a blob is no sound Value: {problem}")


def varint(number: int) -> bytes:
    """Writes a number as protobuf does."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
