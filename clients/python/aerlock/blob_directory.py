"""Blobs as files named by their SHA-256, for both servers: a file is there whole or not at all."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aerlock.v1.values_pb2 import BlobRef

CHUNK_BYTES: Final = 1 << 20
"""Bytes of a blob in one message, and in memory at a time."""

_PARTIAL: Final = "partial"
_DIGITS: Final = 64


class BlobOffsetError(ValueError):
    """A writer wants to begin where the data that is kept does not end."""

    def __init__(self, offset: int, kept: int) -> None:
        super().__init__(f"the data begins at {offset:,} and {kept:,} bytes are kept: go on from there")


class BlobContentError(ValueError):
    """What was written is not the blob that was announced; all of it is discarded."""


class BlobBusyError(Exception):
    """Another writer of the same owner is at this blob."""


class BlobDirectory:
    """One directory of blobs, of which one process is the only writer.

    With ``durable`` a blob that was finished survives a power cut; one that was
    only placed does so from `sync_names` on. Methods block on the disk: call
    them in a thread. What arrived of a blob whose writer went
    away is kept per ``owner``, so that nobody goes on with the bytes of another.
    """

    def __init__(self, root: Path, durable: bool) -> None:
        self._root = root
        self._durable = durable
        self._busy: set[Path] = set()
        self._lock = threading.Lock()
        (root / _PARTIAL).mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the blob with this digest lies, if it is there."""
        return self._root / sha256[:2] / sha256

    def has(self, blob: BlobRef) -> bool:
        """Whether the blob is there, with the size that ``blob`` says."""
        with contextlib.suppress(FileNotFoundError):
            return self.path(blob.sha256).stat().st_size == blob.size_bytes
        return False

    def missing(self, blobs: Iterable[BlobRef]) -> list[BlobRef]:
        """Returns those that are not there in the size that they say."""
        return [blob for blob in blobs if not self.has(blob)]

    def written_bytes(self, blob: BlobRef, owner: str = "") -> int:
        """How many of the first bytes an interrupted writer of ``owner`` has left."""
        with contextlib.suppress(FileNotFoundError):
            return min(self._partial(blob, owner).stat().st_size, blob.size_bytes)
        return 0

    def write(self, blob: BlobRef, offset: int = 0, owner: str = "") -> "BlobWriter":
        """Begins to write, from ``offset`` on; 0 begins anew.

        Raises `BlobOffsetError`, `BlobBusyError` and OSError.
        """
        partial = self._partial(blob, owner)
        with self._lock:
            if partial in self._busy:
                raise BlobBusyError
            self._busy.add(partial)
        try:
            kept = self.written_bytes(blob, owner)
            if offset not in (0, kept):
                raise BlobOffsetError(offset, kept)
            return BlobWriter(self, blob, partial, offset)
        except BaseException:
            self._busy.discard(partial)
            raise

    def read(self, sha256: str, offset: int, size: int = CHUNK_BYTES) -> bytes:
        """Returns up to ``size`` bytes from ``offset`` on; raises FileNotFoundError and OSError."""
        with self.path(sha256).open("rb", buffering=0) as file:
            return os.pread(file.fileno(), size, offset)

    def delete(self, sha256: str) -> None:
        """Deletes a blob; harmless where there is none. Whoever has it open reads on."""
        self.path(sha256).unlink(missing_ok=True)

    def digests(self, before: float) -> list[str]:
        """Returns the digests of the blobs whose data is from before ``before``, in seconds since 1970."""
        return [
            path.name
            for path in self._root.glob("[0-9a-f][0-9a-f]/*")
            if len(path.name) == _DIGITS and path.stat().st_mtime < before
        ]

    def delete_partials(self, before: float) -> int:
        """Deletes what interrupted writers have left and nobody has added to since ``before``.

        ``before`` is in seconds since 1970. Returns how many it deleted.
        """
        count = 0
        for partial in (self._root / _PARTIAL).iterdir():
            with self._lock, contextlib.suppress(FileNotFoundError):
                if partial not in self._busy and partial.lstat().st_mtime < before:
                    partial.unlink()
                    count += 1
        return count

    def adopt(self, partial: Path, blob: BlobRef) -> None:
        """Makes a file, whose content the caller knows to be the blob, that blob."""
        path = self.path(blob.sha256)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        partial.replace(path)

    def sync_names(self, blobs: Iterable[BlobRef]) -> None:
        """Flushes to the disk, where this directory is a durable one, that these are there; raises OSError.

        For many at once: they lie in 256 folders at most, and each is flushed once.
        """
        if self._durable:
            for folder in sorted({self.path(blob.sha256).parent for blob in blobs}):
                _sync_directory(folder)
            _sync_directory(self._root)

    def release(self, partial: Path) -> None:
        """Lets the next writer begin."""
        self._busy.discard(partial)

    def sync(self, fd: int) -> None:
        """Flushes a file to the disk, where this directory is a durable one."""
        if self._durable:
            os.fsync(fd)

    def _partial(self, blob: BlobRef, owner: str) -> Path:
        # Names of accounts are not names of files.
        prefix = hashlib.sha256(owner.encode()).hexdigest()[:16]
        return self._root / _PARTIAL / f"{prefix}-{blob.sha256}"


class BlobWriter:
    """Takes the data of one blob in order; closing it unfinished keeps what has arrived."""

    def __init__(self, directory: BlobDirectory, blob: BlobRef, partial: Path, offset: int) -> None:
        self._directory = directory
        self._blob = blob
        self._partial = partial
        self._digest = hashlib.sha256()
        self._file = partial.open("r+b" if offset else "w+b", buffering=0)
        self.written = offset
        """How many of the blob's first bytes are written."""
        if offset:
            self._digest_kept(offset)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Appends; raises `BlobContentError` where that is more than the blob, and OSError."""
        view = memoryview(data)
        if self.written + len(view) > self._blob.size_bytes:
            self._discard()
            raise BlobContentError(f"the data is longer than the blob's {self._blob.size_bytes:,} bytes")
        self._digest.update(view)
        while view:
            count = self._file.write(view)
            self.written += count
            view = view[count:]

    @property
    def is_whole(self) -> bool:
        """Whether all bytes of the blob are written."""
        return self.written == self._blob.size_bytes

    def finish(self) -> None:
        """Does what `place` does and flushes its name too; raises `BlobContentError` and OSError."""
        self.place()
        self._directory.sync_names([self._blob])

    def place(self) -> None:
        """Checks the digest and makes it a blob, whose bytes are on the disk where its directory is durable.

        Its name is so only after `BlobDirectory.sync_names`. Raises `BlobContentError` and OSError.
        """
        if not self.is_whole or self._digest.hexdigest() != self._blob.sha256:
            self._discard()
            raise BlobContentError("the data has another SHA-256 than the blob that was announced")
        self._directory.sync(self._file.fileno())
        self._directory.adopt(self._partial, self._blob)

    def close(self) -> None:
        """Ends the writing; what was not finished is kept for the next writer."""
        self._file.close()
        self._directory.release(self._partial)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _digest_kept(self, count: int) -> None:
        while self._file.tell() < count:
            chunk = self._file.read(min(CHUNK_BYTES, count - self._file.tell()))
            if not chunk:
                raise BlobOffsetError(count, self._file.tell())
            self._digest.update(chunk)
        self._file.truncate(count)

    def _discard(self) -> None:
        self._partial.unlink(missing_ok=True)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
