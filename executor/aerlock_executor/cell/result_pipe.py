"""The pipe on which a cell's results leave it: frames, and values too large for one as blobs in parts."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import Final

from aerlock.codec.blob_stream import varint
from aerlock.v1.values_pb2 import BlobRef
from aerlock_executor.cell.frames import FrameWriter
from aerlock_executor.v1.cell_pb2 import CellBlobPart, CellFrame

PART_BYTES: Final = 512 << 10
"""Bytes of a blob in one frame."""

_FRAME_BLOB_PART: Final = bytes([CellFrame.BLOB_PART_FIELD_NUMBER << 3 | 2])
_PART_LAST: Final = b"\x10\x01"  # CellBlobPart.last, 2: true
_PART_DATA: Final = b"\x0a"  # CellBlobPart.data, 1
_ABANDONED: Final = CellFrame(blob_part=CellBlobPart(abandoned=True)).SerializeToString()
# Blobs that are remembered, so that one is not sent again.
_REMEMBERED: Final = 10_000


class ResultPipe:
    """Writes frames and blobs, each whole, from any thread; it is the `BlobSink` of a job."""

    def __init__(self, fd: int) -> None:
        self._writer = FrameWriter(fd)
        self._lock = threading.Lock()
        self._closed = False
        self._sent: dict[str, BlobRef] = {}
        self._sent_sizes: set[int] = set()

    def write(self, frame: CellFrame) -> None:
        """Writes one frame, and waits while the reader is behind; raises RuntimeError once it is closed."""
        payload = frame.SerializeToString()
        with self._lock:
            self._check_open()
            self._writer.write(payload)

    def close(self, last: CellFrame) -> None:
        """Writes the job's last frame and refuses any other."""
        with self._lock:
            self._closed = True
            self._writer.write(last.SerializeToString())

    def put(self, parts: Sequence[bytes | memoryview]) -> BlobRef:
        """Sends one blob, unless it was sent before; raises RuntimeError once the pipe is closed."""
        size = sum(map(len, parts))
        # Only where the size has come before, hashing ahead of sending may save the sending.
        if size in self._sent_sizes and (blob := self._sent.get(_digest(parts))):
            return blob
        with self._lock:
            self._check_open()
            try:
                blob = BlobRef(sha256=self._send(parts, size), size_bytes=size)
            except BaseException:  # such as KeyboardInterrupt: what follows is no part of it
                self._writer.write(_ABANDONED)
                raise
        if len(self._sent) < _REMEMBERED:
            self._sent[blob.sha256] = blob
            self._sent_sizes.add(size)
        return blob

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("main has returned; nothing can be published any more")

    def _send(self, parts: Sequence[bytes | memoryview], size: int) -> str:
        """Writes the parts in frames, and returns their digest; nothing is copied on the way."""
        digest = hashlib.sha256()
        for chunk in _chunks(parts):
            digest.update(chunk)
            size -= len(chunk)
            head = (b"" if size else _PART_LAST) + _PART_DATA + varint(len(chunk))
            self._writer.write(_FRAME_BLOB_PART + varint(len(head) + len(chunk)) + head, chunk)
        return digest.hexdigest()


def _chunks(parts: Sequence[bytes | memoryview]) -> Iterator[memoryview]:
    for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), PART_BYTES):
            yield view[start : start + PART_BYTES]


def _digest(parts: Sequence[bytes | memoryview]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
