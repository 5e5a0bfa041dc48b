"""One task: one program in one cell, from its start to its true end."""

import asyncio
import logging
import signal
import time

from aerlock.v1.jobs_pb2 import (
    JOB_STATE_COMPLETED,
    LOG_SOURCE_STDERR,
    LOG_SOURCE_STDOUT,
    FailureReason,
    JobFailure,
    JobUsage,
)
from aerlock_executor.event_rate import EventRate
from aerlock_executor.frame_reader import FrameReader
from aerlock_executor.last_words import LastWords
from aerlock_executor.limits import Limits
from aerlock_executor.log_reader import LogBudget, read_log
from aerlock_executor.output import now, spool_failure
from aerlock_executor.pool import CellPool
from aerlock_executor.spool import Spool
from aerlock_executor.task_blobs import TaskBlobs
from aerlock_executor.v1.cell_pb2 import CellStart
from aerlock_executor.v1.executor_pb2 import TaskEvent, TaskStarted
from aerlock_executor.verdict import Observations, judge
from aerlock_executor.zygote import Cell, ZygoteError

logger = logging.getLogger(__name__)

SPOOL_RETRY_SECONDS = 1.0
TERMINATE_SECONDS = 1.0
"""From SIGTERM to the end of the cell."""


class _StoppedError(Exception):
    """The task was stopped before it had a cell, which is in the ordinary course of things."""


class Task:
    """Runs one program in one cell and writes all that comes of it to ``spool``."""

    def __init__(
        self, task_id: str, start: CellStart, limits: Limits, spool: Spool, blobs: TaskBlobs
    ) -> None:
        self.task_id = task_id
        self.spool = spool
        self._start = start
        self._limits = limits
        self._seen = Observations()
        self._arrived = time.monotonic()
        self._cell: Cell | None = None
        self._taking: asyncio.Future[Cell] | None = None
        self._cell_ready = self._cell_gone = self._arrived
        self._is_handed_over = False
        self._blobs = blobs
        self._frames = FrameReader(
            spool, blobs, limits.result_bytes, self.fail, EventRate(limits.events_per_second)
        )
        self._logs = LogBudget(limits.log_bytes)
        self._last_words = LastWords()

    async def run(self, pool: CellPool) -> None:
        """Runs the task to its end, which is in the spool when this returns."""
        try:
            if not self._is_stopped:
                await self._run_in(await self._take_cell(pool))
        except _StoppedError:
            logger.info("task %s was stopped before it had a cell", self.task_id)
        except ZygoteError as error:
            logger.warning("task %s has no cell: %s", self.task_id, error)
        except Exception:  # whatever it was, the task must end
            logger.exception("task %s", self.task_id)
        await self._close_blobs()
        await self._end()

    async def _take_cell(self, pool: CellPool) -> Cell:
        """Waits for a cell; raises ZygoteError where none can be made, _StoppedError where none is needed."""
        self._taking = asyncio.ensure_future(pool.take(self._limits.cell))
        try:
            return await self._taking
        except asyncio.CancelledError:
            if not self._is_stopped:
                raise
            raise _StoppedError from None
        except ZygoteError:
            reason = FailureReason.FAILURE_REASON_EXECUTOR_LOST
            message = "The executor could not make a cell for the job; its log says why."
            self.fail(JobFailure(reason=reason, message=message))
            raise

    def cancel(self) -> None:
        """Interrupts the program; it ends as CANCELLED unless it has returned or raised first.

        Nothing happens to a task that is ending for another reason, or was cancelled before.
        """
        if not self._is_stopped:
            self._seen.cancelled = True
            self._seen.finished_first = self._frames.is_finished
            self._interrupt()

    def fail(self, failure: JobFailure) -> None:
        """Ends the task's processes at once; it ends as FAILED. The first reason stays."""
        if not self._is_stopped:
            self._seen.killed_for = failure
        self._kill()

    @property
    def _is_stopped(self) -> bool:
        return self._seen.cancelled or self._seen.killed_for is not None

    def _interrupt(self) -> None:
        """SIGINT, after the grace SIGTERM, then the end of the cell; at once where no program runs yet."""
        if self._cell is None or not self._is_handed_over:
            self._kill()
            return
        loop, grace = asyncio.get_running_loop(), self._limits.grace_seconds
        self._cell.send_signal(signal.SIGINT)
        loop.call_later(grace, self._cell.send_signal, signal.SIGTERM)
        loop.call_later(grace + TERMINATE_SECONDS, self._cell.kill)

    def _kill(self) -> None:
        if self._cell:
            self._cell.kill()
        elif self._taking:
            self._taking.cancel()

    async def _run_in(self, cell: Cell) -> None:
        self._cell = cell
        self._cell_ready = time.monotonic()
        if self._is_stopped:
            cell.kill()
        self._append_started()
        readers = asyncio.gather(
            self._frames.read(cell.reader),
            read_log(cell.stdout, LOG_SOURCE_STDOUT, self._logs, self.spool, self.fail),
            read_log(
                cell.stderr, LOG_SOURCE_STDERR, self._logs, self.spool, self.fail, self._last_words.hear
            ),
        )
        deadline = asyncio.get_running_loop().call_later(self._limits.wall_seconds, self._exceed_wall_time)
        try:
            await self._hand_over(cell)
            self._seen.exit = await cell.wait()
        finally:
            deadline.cancel()
            cell.kill()  # whatever went wrong, so that the readers come to an end
            await readers
            self._cell_gone = time.monotonic()
        self._seen.final_result = self._frames.final_result
        self._seen.reported = self._frames.reported
        self._seen.last_words_limit = self._last_words.limit()

    async def _hand_over(self, cell: Cell) -> None:
        """Writes program and inputs to the cell; one that ends or is killed meanwhile ends this too."""
        try:
            await cell.start(self._start, self._blobs.input_paths)
        except OSError as error:
            message = f"The executor cannot read a blob of the inputs: {error.strerror}."
            self.fail(JobFailure(reason=FailureReason.FAILURE_REASON_EXECUTOR_LOST, message=message))
        self._is_handed_over = True
        self._start = CellStart()  # the inputs need no memory any more

    def _append_started(self) -> None:
        try:
            # Nobody waits for this one: it travels with the first that somebody waits for.
            self.spool.append([now(TaskEvent(started=TaskStarted()))], wake=False)
        except OSError as error:
            self.fail(spool_failure(error))

    def _exceed_wall_time(self) -> None:
        if self._is_stopped:
            return
        limit, used = self._limits.wall_seconds, time.monotonic() - self._cell_ready
        message = (
            f"The program ran longer than its maximum execution time of {limit:g} s: it had run {used:.3g} s."
        )
        reason = FailureReason.FAILURE_REASON_TIME_LIMIT
        self._seen.killed_for = JobFailure(reason=reason, message=message, limit=limit, used=used)
        self._interrupt()

    async def _close_blobs(self) -> None:
        if not self._blobs.count:
            return
        try:
            await asyncio.to_thread(self._blobs.close)
        except OSError as error:  # they go with the spool
            logger.warning("cannot remove the unused blobs of task %s: %s", self.task_id, error)

    async def _end(self) -> None:
        ended = judge(self._seen, self._limits)
        ended.usage.CopyFrom(self._usage())
        events = [now(TaskEvent(warning=warning))] if (warning := self._logs.warning()) else []
        if ended.state == JOB_STATE_COMPLETED:
            final = TaskEvent(final_result=self._seen.final_result, blobs=self._frames.final_blobs)
            events.append(now(final))
        events.append(now(TaskEvent(ended=ended)))
        while True:
            try:
                return self.spool.append(events)
            except OSError as error:
                logger.error("cannot write the end of task %s, trying again: %s", self.task_id, error)
                await asyncio.sleep(SPOOL_RETRY_SECONDS)

    def _usage(self) -> JobUsage:
        usage = JobUsage(output_bytes=self._frames.output_bytes + self._logs.seen_bytes)
        usage.startup_time.FromNanoseconds(int((self._cell_ready - self._arrived) * 1e9))
        usage.wall_time.FromNanoseconds(int((self._cell_gone - self._cell_ready) * 1e9))
        if self._seen.exit:
            usage.cpu_time.FromNanoseconds(int(self._seen.exit.cpu_seconds * 1e9))
            usage.peak_memory_bytes = self._seen.exit.peak_memory_bytes
        return usage
