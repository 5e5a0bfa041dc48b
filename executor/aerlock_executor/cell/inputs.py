"""Reads a job's inputs: those in its start message, and the large ones that follow it on the pipe."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from types import TracebackType
from typing import Any, Final, Self

from aerlock import codec
from aerlock.v1.values_pb2 import BlobRef, MapValue

_SKIP_BYTES: Final = 64 << 10


class InvalidInputError(Exception):
    """An input cannot be read; the text says which and why."""


class InputBlobs:
    """The blobs behind the start message, a `BlobSource`: each can be opened once, in the order given.

    What it opens is read from the pipe itself, without a copy of it in memory. It
    owns ``fd``; as a context manager it closes it.
    """

    def __init__(self, fd: int, blobs: Iterable[BlobRef]) -> None:
        self._pipe = FileIO(fd, "rb")
        self._coming = deque(blobs)

    @contextmanager
    def open(self, blob: BlobRef) -> Iterator["_Blob"]:
        """Opens the next blob; raises LookupError where it does not come."""
        while self._coming:
            coming = self._coming.popleft()
            content = _Blob(self._pipe, coming.size_bytes)
            if coming == blob:
                yield content
                content.skip()
                return
            content.skip()
        raise LookupError("a large value did not come with the inputs")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pipe.close()


class _Blob:
    """As much of the pipe as belongs to one blob."""

    def __init__(self, pipe: FileIO, size: int) -> None:
        self._pipe = pipe
        self._unread = size

    def readinto(self, buffer: memoryview, /) -> int:
        """Fills a part of ``buffer`` and returns how much; 0 at the end."""
        count = self._pipe.readinto(buffer[: self._unread]) or 0
        self._unread -= count
        return count

    def skip(self) -> None:
        """Reads to the end."""
        buffer = memoryview(bytearray(min(self._unread, _SKIP_BYTES)))
        while self._unread and self.readinto(buffer):
            pass


def read_inputs(entries: MapValue, blobs: InputBlobs) -> dict[str, Any]:
    """The arguments that main gets; raises InvalidInputError, and MemoryError where they are too large."""
    try:
        return codec.from_map(entries, blobs)
    except MemoryError:
        raise
    except Exception as error:  # whatever the libraries that read circuits make of hostile ones
        raise InvalidInputError(f"The inputs cannot be read: {error}") from error
