"""A cell as the supervisor holds it: its pipes, its one job, its signals, and how it ended."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aerlock_executor.cell.frames import MAX_START_BYTES, encode_frame
from aerlock_executor.cell.limits import SPARE_PROCESSES
from aerlock_executor.cell.signals import END_CELL
from aerlock_executor.cell_input import write_input
from aerlock_executor.cgroups import CellGroup
from aerlock_executor.v1.cell_pb2 import CellReady, CellStart


class ZygoteError(Exception):
    """The zygote or one of its cells could not be made, or has ended; the text says why."""


@dataclass(frozen=True)
class CellExit:
    """How a program's process ended and what it used.

    Exactly one of ``exit_code`` and ``signal`` is set. ``cpu_seconds`` and
    ``peak_memory_bytes`` do not count what the cell had used before its job. Where
    there are control groups, they are those of the cell, ``out_of_memory`` says
    whether the kernel ended it for that, and ``refused_threads`` how often it was
    refused a thread, None where nothing counts that; else they are those of its
    program, without the memory that it shared with the zygote.
    """

    exit_code: int | None
    signal: int | None
    cpu_seconds: float
    peak_memory_bytes: int
    out_of_memory: bool = False
    refused_threads: int | None = None
    scratch_full: bool = False
    """Whether its scratch had no byte left when the program had ended."""


@dataclass
class CellLife:
    """How a cell is to end, its control groups, and what it had used when it was ready for its job."""

    ended: "asyncio.Future[CellExit]"
    group: CellGroup | None
    used_before: CellReady = field(default_factory=CellReady)

    def end(self, records: Mapping[str, Any]) -> None:
        """Resolves the end with what init, or else the stub, reported, and with what the groups say."""
        if "error" in records:
            self.fail(f"a cell could not be isolated: {records['error']}")
            return
        # Without a report of init its own end is the program's: it was killed with it.
        code = os.waitstatus_to_exitcode(records.get("status", records.get("init_status", 9)))
        own = records.get("usage") or records.get("init_usage") or {}
        exit_ = CellExit(
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            cpu_seconds=max(0.0, own.get("cpu_seconds", 0.0) - self.used_before.cpu_seconds),
            peak_memory_bytes=max(0, own.get("peak_memory_bytes", 0) - self.used_before.peak_memory_bytes),
            scratch_full=records.get("scratch_full", False),
        )
        self.ended.set_result(self._as_grouped(exit_))

    def fail(self, reason: str) -> None:
        """Says that nobody knows how the cell ended."""
        self.ended.set_exception(ZygoteError(reason))
        self.ended.exception()  # not every cell has someone who waits

    def _as_grouped(self, exit_: CellExit) -> CellExit:
        """What the control groups have counted, in place of what the program's process did."""
        if self.group is None:
            return exit_
        usage = self.group.usage()
        return replace(
            exit_,
            cpu_seconds=exit_.cpu_seconds if usage.cpu_seconds is None else usage.cpu_seconds,
            peak_memory_bytes=(
                exit_.peak_memory_bytes if usage.peak_memory_bytes is None else usage.peak_memory_bytes
            ),
            out_of_memory=usage.out_of_memory,
            refused_threads=usage.refused_threads,
        )


class Cell:
    """One isolated, warm process that runs one job.

    ``reader`` carries the frames of the out pipe; ``stdout`` and ``stderr``
    what the program writes. Whoever does not read them slows the program down.
    """

    def __init__(
        self,
        streams: Sequence[asyncio.StreamReader],
        input_fd: int,
        tell: Callable[..., None],
        life: CellLife,
    ) -> None:
        """``tell`` sends the zygote a message about the cell."""
        self.reader, self.stdout, self.stderr = streams
        self._input_fd = input_fd
        self._tell = tell
        self.life = life
        self._ended = life.ended
        self._group = life.group
        self._ended.add_done_callback(lambda _: self._close_input())

    @property
    def alive(self) -> bool:
        """Whether its processes have not all been reaped."""
        return not self._ended.done()

    async def start(self, message: CellStart, blobs: Sequence[Path] = ()) -> None:
        """Hands the cell its one job, with the files of the blobs that the message lists.

        Returns when the cell has all of it. A cell that has ended meanwhile is no
        error here: `wait` tells. Raises FrameError where the message is longer
        than `MAX_START_BYTES`, OSError where a file cannot be read, and ZygoteError
        where the cell's control groups do not take its limits.
        """
        self._lower_limits(message)
        frame = encode_frame(message.SerializeToString(), MAX_START_BYTES)
        fd, self._input_fd = self._input_fd, -1
        if fd >= 0:
            await write_input(fd, frame, blobs)

    def send_signal(self, number: signal.Signals) -> None:
        """Sends SIGINT or SIGTERM to the program, which may do with it what it likes."""
        if self.alive:
            self._tell(signal=number)

    def kill(self) -> None:
        """Ends the cell, whatever it is doing; harmless when it has ended."""
        if self.alive:
            self._tell(signal=END_CELL)

    async def wait(self) -> CellExit:
        """How the program ended, once none of the cell's processes is left; raises ZygoteError."""
        return await asyncio.shield(self._ended)

    def measure(self, used_before: CellReady) -> None:
        """Limits the cell and counts what it uses from now on; raises ZygoteError."""
        self.life.used_before = used_before
        with self._limiting() as group:
            if group:
                group.begin()

    def _lower_limits(self, message: CellStart) -> None:
        with self._limiting() as group:
            if group is None:
                return
            group.lower(message.memory_bytes, message.threads)
            if group.counts_threads and message.threads:
                message.threads += SPARE_PROCESSES

    @contextmanager
    def _limiting(self) -> Iterator[CellGroup | None]:
        """Gives the groups of a cell that has any and has not ended."""
        try:
            yield self._group if self.alive else None
        except OSError as error:
            raise ZygoteError(f"a cell cannot be limited: {error}") from error

    def _close_input(self) -> None:
        if self._input_fd >= 0:
            os.close(self._input_fd)
            self._input_fd = -1
