"""The spool: a task's events in one append-only file that outlives the executor.

The file is a serialized ``StartTaskResponse`` that grows: concatenated protobuf
messages merge, so any run of whole records is itself a response, and a page is
read without touching its events.
"""

import asyncio
import os
from array import array
from bisect import bisect_right
from pathlib import Path
from typing import Self

from google.protobuf.message import DecodeError

from aerlock_executor.v1.executor_pb2 import StartTaskResponse, TaskEvent

MAX_PAGE_BYTES = 1 << 20
MAX_PAGE_EVENTS = 4096


class Spool:
    """The events of one task, numbered by offset from 1.

    What `append` has written survives SIGKILL of this process; it is not synced
    to disk, since a power cut ends the task anyway.
    """

    def __init__(self, path: Path, file: int, ends: "array[int]", ended: bool) -> None:
        self._path = path
        self._file = file
        # _ends[n] is where the event with offset n ends in the file; _ends[0] is 0.
        self._ends = ends
        self._changed = asyncio.Event()
        self.ended = ended
        self.deleted = asyncio.Event()

    @classmethod
    def create(cls, path: Path) -> Self:
        """Makes an empty spool at ``path``, which must not exist yet.

        Raises:
            OSError: the file cannot be made.
        """
        return cls(
            path,
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600),
            array("q", [0]),
            False,
        )

    @classmethod
    def recover(cls, path: Path) -> Self:
        """Opens the spool that an earlier process left, dropping what it did not finish.

        That is a part of a record, or a final result whose end, which is written
        with it, did not get through: nobody has read it.

        Raises:
            OSError: the file cannot be read.
        """
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        content = path.read_bytes()
        ends = array("q", [0])
        event = TaskEvent()
        while (end := _record_end(content, ends[-1])) is not None:
            try:
                event = StartTaskResponse.FromString(content[ends[-1] : end]).events[0]
            except (DecodeError, IndexError):
                break
            ends.append(end)
        if event.HasField("final_result"):
            ends.pop()
        os.ftruncate(file, ends[-1])
        return cls(path, file, ends, event.HasField("ended"))

    @property
    def last_offset(self) -> int:
        """The offset of the newest event; 0 where there is none."""
        return len(self._ends) - 1

    def append(self, events: list[TaskEvent], wake: bool = True) -> None:
        """Numbers ``events``, writes them with one call and, with ``wake``, wakes the readers.

        Raises:
            OSError: the disk is full or broken; nothing was appended.
        """
        if self.ended:
            raise RuntimeError("nothing follows TaskEnded")
        records = []
        ends = array("q")
        end = self._ends[-1]
        for offset, event in enumerate(events, self.last_offset + 1):
            event.offset = offset
            record = _as_record(event.SerializeToString())
            records.append(record)
            end += len(record)
            ends.append(end)
        self._write(b"".join(records))
        self._ends.extend(ends)
        self.ended = bool(events) and events[-1].HasField("ended")
        if wake:
            self._wake()

    def read(self, after_offset: int) -> tuple[bytes, int]:
        """Returns a page of events after an offset, as a serialized response, and its last offset.

        A page holds at least one event, where there is one, and at most 1 MiB or 4,096 events.
        """
        last = self.last_offset
        if after_offset >= last:
            return b"", last
        start = self._ends[after_offset]
        by_size = bisect_right(self._ends, start + MAX_PAGE_BYTES) - 1
        page_end = max(min(by_size, after_offset + MAX_PAGE_EVENTS), after_offset + 1)
        return os.pread(self._file, self._ends[page_end] - start, start), page_end

    async def wait(self, after_offset: int) -> None:
        """Waits for an event after an offset, or for the end."""
        while self.last_offset <= after_offset and not self.ended:
            await self._changed.wait()

    def delete(self) -> None:
        """Deletes the file; the streams that still read it end."""
        self.ended = True
        self._path.unlink(missing_ok=True)
        os.close(self._file)
        self._ends = array("q", [0])
        self.deleted.set()
        self._wake()

    def _write(self, data: bytes) -> None:
        position = self._ends[-1]
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(self._file, view, position)
                position += written
                view = view[written:]
        except OSError:
            os.ftruncate(self._file, self._ends[-1])
            raise

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _as_record(event: bytes) -> bytes:
    """Returns the bytes of ``StartTaskResponse(events=[event])``, at a third of its price."""
    length = bytearray()
    rest = len(event)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return b"\x0a" + length + event


def _record_end(content: bytes, start: int) -> int | None:
    """Returns where the record (tag, varint length, event) that begins at ``start`` ends, if it is whole."""
    length = shift = 0
    for position in range(start + 1, min(start + 6, len(content))):
        byte = content[position]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            end = position + 1 + length
            return end if end <= len(content) else None
    return None
