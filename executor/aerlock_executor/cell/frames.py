"""Length-prefixed messages on a cell's pipes, for both sides."""

import io
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import StreamReader

_PREFIX = struct.Struct("<I")

MAX_FRAME_BYTES = (1 << 20) + (64 << 10)
"""The longest frame that a cell may send."""

MAX_START_BYTES = 4 << 20
"""The longest frame that a cell accepts: sources and inputs together."""


class FrameError(ValueError):
    """What came on a pipe is not a frame."""


def encode_frame(payload: bytes, limit: int = MAX_FRAME_BYTES) -> bytes:
    """The payload with its length in front; raises FrameError where it is longer than ``limit``."""
    _check_limit(len(payload), limit)
    return _PREFIX.pack(len(payload)) + payload


class FrameWriter:
    """Writes frames to a pipe so that no signal tears one; one thread at a time.

    A handler may raise at any moment, such as KeyboardInterrupt. A frame goes into
    the buffer in one call that runs no handlers, and what a flush has written and
    what is left is known to the buffer: an interrupted flush is resumed.
    """

    def __init__(self, fd: int) -> None:
        pipe = io.FileIO(fd, "wb", closefd=False)
        self._pipe = io.BufferedWriter(pipe, _PREFIX.size + MAX_FRAME_BYTES)

    def write(self, *parts: bytes | memoryview) -> None:
        """Writes the parts as one frame, and waits while the pipe is full.

        Raises FrameError, OSError, and what a signal handler raises: the frame
        goes out whole all the same, then or with the next one.
        """
        length = sum(map(len, parts))
        _check_limit(length, MAX_FRAME_BYTES)
        self._pipe.flush()
        try:
            self._pipe.writelines((_PREFIX.pack(length), *parts))
        finally:
            self._pipe.flush()


def read_frame(fd: int, limit: int = MAX_START_BYTES) -> bytes | None:
    """Reads one frame, None at the end of the pipe; raises FrameError or OSError."""
    prefix = _read_exactly(fd, _PREFIX.size)
    if not prefix:
        return None
    return _whole(_read_exactly(fd, _length(prefix, limit)), _length(prefix, limit))


async def receive_frame(reader: "StreamReader", limit: int = MAX_FRAME_BYTES) -> bytes | None:
    """Reads one frame, None at the end of the pipe.

    Raises FrameError where the frame is empty, longer than ``limit`` or cut
    short. Memory grows with what has arrived, never with what a prefix claims.
    """
    prefix = await _receive_exactly(reader, _PREFIX.size)
    if not prefix:
        return None
    length = _length(prefix, limit)
    return _whole(await _receive_exactly(reader, length), length)


def _check_limit(length: int, limit: int) -> None:
    if length > limit:
        raise FrameError(f"a frame of {length} bytes is longer than {limit}")


def _length(prefix: bytes | memoryview, limit: int) -> int:
    if len(prefix) < _PREFIX.size:
        raise FrameError("the pipe ended within the length of a frame")
    (length,) = _PREFIX.unpack(prefix)
    if not 0 < length <= limit:
        raise FrameError(f"a frame claims {length} bytes; 1 to {limit} are possible")
    return int(length)


def _whole(payload: bytes, length: int) -> bytes:
    if len(payload) < length:
        raise FrameError(f"the pipe ended after {len(payload)} of the {length} bytes of a frame")
    return payload


def _read_exactly(fd: int, count: int) -> bytes:
    """Up to ``count`` bytes; fewer only at the end of the pipe."""
    chunks = bytearray()
    while len(chunks) < count:
        chunk = os.read(fd, min(count - len(chunks), 1 << 16))
        if not chunk:
            break
        chunks += chunk
    return bytes(chunks)


async def _receive_exactly(reader: "StreamReader", count: int) -> bytes:
    """Up to ``count`` bytes; fewer only at the end of the pipe."""
    chunks = bytearray()
    while len(chunks) < count:
        chunk = await reader.read(min(count - len(chunks), 1 << 16))
        if not chunk:
            break
        chunks += chunk
    return bytes(chunks)


class FrameDecoder:
    """Splits what arrives from a pipe into frames; for the side that trusts none of it."""

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._limit = limit
        self._buffer = bytearray()

    @property
    def pending(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Returns the payloads that ``data`` completes; raises FrameError at the first impossible length."""
        buffer = self._buffer
        buffer += data
        payloads, position = [], 0
        with memoryview(buffer) as view:
            while len(view) - position >= _PREFIX.size:
                start = position + _PREFIX.size
                length = _length(view[position:start], self._limit)
                if len(view) - start < length:
                    break
                payloads.append(bytes(view[start : start + length]))
                position = start + length
        del buffer[:position]
        return payloads
