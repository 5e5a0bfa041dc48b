"""The executor's blobs: a cache of files by their digest, in which tasks pin what they need.

A task pins a blob by a hard link in a directory of its own beside its spool. So
pins survive a restart without an account of them, and a blob with one link is
one that no task needs: it stays until the cache has to make room.
"""

import contextlib
import errno
import hashlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aerlock.blob_directory import BlobDirectory
from aerlock.v1.values_pb2 import BlobRef
from aerlock_executor.errors import MissingBlobError, NoRoomError, UnknownBlobError

logger = logging.getLogger(__name__)

KEPT_SECONDS: Final = 600.0
"""A blob that the gateway has asked for or written stays this long for a task that is to come."""
RESERVED_BYTES: Final = 64 << 20
"""What blobs leave free on the disk, for spools."""

PINS_SUFFIX: Final = ".blobs"
_DRAFT_PREFIX: Final = "draft-"
_DRAFT_BUFFER_BYTES: Final = 64 << 10
# What a blob counts at least, so that the cache bounds the number of files too.
_LEAST_COST_BYTES: Final = 64 << 10
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class BlobDraft:
    """Data on its way to a blob, whose digest is known when all of it has come.

    Leaving the ``with`` block deletes what did not become one. A thread may
    still be writing then.
    """

    def __init__(self, folder: Path) -> None:
        fd, name = tempfile.mkstemp(prefix=_DRAFT_PREFIX, dir=folder)
        self.path = Path(name)
        self.size = 0
        """Bytes that have been written."""
        self._file = os.fdopen(fd, "wb", _DRAFT_BUFFER_BYTES)
        self._digest = hashlib.sha256()
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Appends; raises OSError, and ValueError once it is closed."""
        with self._lock:
            if _free_bytes(self._file.fileno()) < len(data) + RESERVED_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._file.write(data)
            self._digest.update(data)
            self.size += len(data)

    def close(self) -> BlobRef:
        """Ends the writing and returns what it has become; raises OSError."""
        with self._lock:
            self._file.close()
            return BlobRef(sha256=self._digest.hexdigest(), size_bytes=self.size)

    def discard(self) -> None:
        """Deletes it, unless it has become a blob."""
        with self._lock:
            with contextlib.suppress(OSError):  # a full disk takes the rest of the buffer no more than before
                self._file.close()
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()


class BlobStore:
    """The blobs of one executor. Methods block on the disk: call them in a thread.

    ``cache_bytes`` is what blobs may take together that no task has pinned.
    """

    def __init__(self, folder: Path, pins_folder: Path, cache_bytes: int) -> None:
        self._folder = folder
        self._directory = BlobDirectory(folder, durable=False)
        self._pins_folder = pins_folder
        self._cache_bytes = cache_bytes
        # Held for a few system calls: nothing is evicted between being found and being pinned.
        self._lock = threading.Lock()

    def recover(self, task_ids: Collection[str]) -> None:
        """Removes what an earlier process left unfinished and pins of other tasks; raises OSError."""
        for draft in self._folder.glob(f"{_DRAFT_PREFIX}*"):
            draft.unlink()
        for pins in self._pins_folder.glob(f"*{PINS_SUFFIX}"):
            if pins.name.removesuffix(PINS_SUFFIX) not in task_ids:
                shutil.rmtree(pins)
        self._drop_unsynced()

    def find_missing(self, blobs: Sequence[BlobRef]) -> list[BlobRef]:
        """Returns those that are not here; the others are kept for `KEPT_SECONDS`."""
        missing = []
        for blob in blobs:
            with self._lock:
                if self._directory.has(blob):
                    self._touch(blob)
                else:
                    missing.append(blob)
        return missing

    def begin(self, size: int = 0) -> BlobDraft:
        """Begins to write a blob, of ``size`` bytes where that is known.

        Raises:
            NoRoomError: it would fill the disk.
            OSError: the disk does not work.
        """
        if size and _free_bytes(self._folder) < size + RESERVED_BYTES:
            raise NoRoomError(f"the executor's disk has no room for a blob of {size:,} bytes")
        return BlobDraft(self._folder)

    def adopt(self, draft: BlobDraft, task_id: str | None = None) -> BlobRef:
        """Makes a blob of a draft, for a task to come or pinned for the one that wrote it; raises OSError."""
        blob = draft.close()
        with self._lock:
            # One that exists stays the same file, or its pins would pin nothing.
            if self._directory.has(blob):
                draft.discard()
            else:
                self._directory.adopt(draft.path, blob)
                self._touch(blob, KEPT_SECONDS)
            if task_id is None:
                self._touch(blob)
            else:
                self._link(blob, task_id)
        return blob

    def pin(self, task_id: str, blobs: Sequence[BlobRef]) -> None:
        """Keeps blobs until `release`.

        Raises:
            MissingBlobError: one of them is not here; none is pinned then.
            OSError: the disk takes no links.
        """
        try:
            for blob in blobs:
                with self._lock:
                    if not self._directory.has(blob):
                        raise MissingBlobError(f"the blob {blob.sha256} is not here: write it and try again")
                    self._link(blob, task_id)
                    self._touch(blob, KEPT_SECONDS)
        except BaseException:
            self.release(task_id)
            raise

    def pinned_path(self, task_id: str, blob: BlobRef) -> Path:
        """The file of a blob that the task has pinned."""
        return self._pins(task_id) / blob.sha256

    def has_pins(self, task_id: str) -> bool:
        """Whether the task has ever pinned a blob and is not released."""
        return self._pins(task_id).is_dir()

    def unpin(self, task_id: str, blob: BlobRef) -> None:
        """Gives up one blob of a task; raises OSError."""
        self.pinned_path(task_id, blob).unlink(missing_ok=True)

    def release(self, task_id: str) -> None:
        """Gives up all that the task has pinned; raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._pins(task_id))

    def size(self, sha256: str) -> int:
        """The length of a blob that is here; raises UnknownBlobError."""
        with contextlib.suppress(OSError):
            return self._directory.path(sha256).stat().st_size
        raise UnknownBlobError("there is no such blob")

    def read(self, sha256: str, offset: int) -> bytes:
        """Returns a chunk from ``offset`` on; raises UnknownBlobError and OSError."""
        try:
            return self._directory.read(sha256, offset)
        except FileNotFoundError:
            raise UnknownBlobError("the blob has been evicted while it was read") from None

    def evict(self) -> None:
        """Deletes what no task needs, the longest untouched first, until the rest fits the cache."""
        unused = [(file, status) for file, status in self._files() if status.st_nlink == 1]
        excess = sum(_cost(status) for _, status in unused) - self._cache_bytes
        now = time.time()
        # By distance: an age in the future is from before the clock was set back.
        for file, status in sorted(unused, key=lambda item: -abs(now - item[1].st_mtime)):
            if excess <= 0 or abs(now - status.st_mtime) < KEPT_SECONDS:
                return
            excess -= _cost(status)
            self._delete_unchanged(file, status)

    def _delete_unchanged(self, file: Path, seen: os.stat_result) -> None:
        """Deletes a blob, unless it was touched or pinned since it was ``seen``."""
        with self._lock:
            status = file.stat()
            if (status.st_mtime_ns, status.st_nlink) == (seen.st_mtime_ns, 1):
                file.unlink()

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Every blob's file, a few system calls each."""
        for folder in self._folder.glob("??"):
            for file in folder.iterdir():
                yield file, file.stat()

    def _touch(self, blob: BlobRef, seconds_ago: float = 0.0) -> None:
        """Sets the age of a blob.

        What a task has used, or written, may go as soon as no task needs it: in
        `KEPT_SECONDS` many tasks could fill the disk.
        """
        then = time.time() - seconds_ago
        os.utime(self._directory.path(blob.sha256), (then, then))

    def _link(self, blob: BlobRef, task_id: str) -> None:
        pins = self._pins(task_id)
        pins.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.link(self._directory.path(blob.sha256), pins / blob.sha256)

    def _pins(self, task_id: str) -> Path:
        return self._pins_folder / f"{task_id}{PINS_SUFFIX}"

    def _drop_unsynced(self) -> None:
        """After another boot, deletes the blobs whose bytes a power cut may have taken.

        None is synced to the disk. Those that a task has pinned are results that
        the gateway may still want: what has kept its digest stays.
        """
        marker, boot = self._folder / "boot", _read(_BOOT_ID)
        if boot and _read(marker) == boot:
            return
        for file, status in self._files():
            if status.st_nlink == 1 or not _has_its_digest(file):
                file.unlink()
        marker.write_text(boot)


def _free_bytes(place: int | Path) -> int:
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def _read(path: Path) -> str:
    """The text of a file, empty where it cannot be read."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _cost(status: os.stat_result) -> int:
    return max(status.st_size, _LEAST_COST_BYTES)


def _has_its_digest(file: Path) -> bool:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == file.name
