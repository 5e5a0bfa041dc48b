"""The blobs of one task: those of its inputs, and those that its program writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aerlock.codec.blobs import LARGEST_BLOB_BYTES, check_blob
from aerlock.codec.bounds import ValueBoundsError
from aerlock.v1.values_pb2 import BlobRef
from aerlock_executor.blobs import BlobDraft, BlobStore

MAX_WRITTEN_BLOBS: Final = 10_000
"""Blobs that one program may write."""


class TaskBlobs:
    """What one task has pinned: its inputs from the start, results from when they are whole and sound.

    A program writes one blob after the other. One that no result refers to is
    given up at the end of the task.
    """

    def __init__(self, store: BlobStore, task_id: str, inputs: Sequence[BlobRef]) -> None:
        self._store = store
        self._task_id = task_id
        self._inputs = inputs
        self._draft: BlobDraft | None = None
        self._written: dict[str, BlobRef] = {}
        self._referred: set[str] = {blob.sha256 for blob in inputs}
        self.count = 0
        """How many blobs the program has begun."""
        self.is_whole = False
        """Whether all parts of the open blob have come, so that `finish` is due."""

    @property
    def input_paths(self) -> list[Path]:
        """The files of the inputs' blobs, in their order."""
        return [self._store.pinned_path(self._task_id, blob) for blob in self._inputs]

    @property
    def is_open(self) -> bool:
        """Whether a blob has begun and is not finished."""
        return self._draft is not None

    def append(self, data: bytes, last: bool) -> None:
        """Takes the next part of the open blob, or the first of a new one.

        Raises:
            ValueBoundsError: no blob can be that large.
            OSError: the disk is full or broken.
        """
        if self._draft is None:
            self._draft = self._store.begin()
            self.count += 1
        if self._draft.size + len(data) > LARGEST_BLOB_BYTES:
            raise ValueBoundsError(f"a blob has more than {LARGEST_BLOB_BYTES:,} bytes")
        self._draft.write(data)
        self.is_whole = last

    def finish(self) -> None:
        """Checks the blob that is whole, and pins it; blocks for as long as that takes.

        Raises:
            ValueBoundsError: it is no Value.
            OSError: the disk is full or broken.
        """
        draft = self._draft
        if draft is None or not self.is_whole:
            raise RuntimeError("there is no whole blob")
        draft.close()
        with draft.path.open("rb", buffering=0) as content:
            check_blob(content, draft.size)
        blob = self._store.adopt(draft, self._task_id)
        self._written[blob.sha256] = blob
        self._draft, self.is_whole = None, False

    def abandon(self) -> None:
        """Gives up the open blob, if there is one; raises OSError."""
        if self._draft:
            self._draft.discard()
        self._draft, self.is_whole = None, False

    def refer(self, blobs: Sequence[BlobRef]) -> None:
        """Notes that a result refers to blobs; raises ValueBoundsError where one was not written."""
        for blob in blobs:
            if self._written.get(blob.sha256) != blob:
                raise ValueBoundsError("it refers to a blob that the program has not written")
            self._referred.add(blob.sha256)

    def close(self) -> None:
        """Removes what no result refers to; raises OSError."""
        self.abandon()
        for sha256, blob in self._written.items():
            if sha256 not in self._referred:
                self._store.unpin(self._task_id, blob)
