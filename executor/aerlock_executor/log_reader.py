"""What a program writes to stdout and stderr, made into events: merged, and bounded."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aerlock.v1.jobs_pb2 import JobWarning, LogOutput, LogSource
from aerlock_executor.output import Fail, drain, now, spool_failure
from aerlock_executor.spool import Spool
from aerlock_executor.v1.executor_pb2 import TaskEvent

# Output of one stream is gathered into one event until it has this size or age.
LOG_EVENT_BYTES = 32 << 10
LOG_EVENT_SECONDS = 0.1
# Between two reads of output that is dropped, so that a flood of it takes little of the event loop.
LOG_REST_SECONDS = 0.001
LOG_LIMIT = "LOG_LIMIT"
"""The warning that output was dropped; no cell says it."""


@dataclass
class LogBudget:
    """How many bytes of log output a job may still keep, over both of its streams."""

    max_bytes: int
    seen_bytes: int = 0
    marked: bool = False

    def admit(self, data: bytes) -> bytes:
        """Counts ``data`` and returns the part of it that is kept."""
        room = max(0, self.max_bytes - self.seen_bytes)
        self.seen_bytes += len(data)
        return data[:room]

    def warning(self) -> JobWarning | None:
        """What a person should know at the end where not all was kept."""
        if not self.dropped_bytes:
            return None
        message = f"stdout and stderr took {self.seen_bytes:,} bytes; the first {self.max_bytes:,} are kept."
        return JobWarning(code=LOG_LIMIT, message=message)

    @property
    def dropped_bytes(self) -> int:
        """Bytes that were counted and not kept."""
        return max(0, self.seen_bytes - self.max_bytes)


async def read_log(
    stream: asyncio.StreamReader,
    source: "LogSource.ValueType",
    budget: LogBudget,
    spool: Spool,
    fail: Fail,
    hear: Callable[[bytes], None] | None = None,
) -> None:
    """Reads stdout or stderr to its end: one event per 100 ms or 32 KiB, and a marker at the cap.

    ``hear`` is told all of it, also what is dropped.
    """
    try:
        while data := await _gather(stream):
            if hear:
                hear(data)
            kept = budget.admit(data)
            event = TaskEvent(log_output=LogOutput(source=source, data=kept))
            if budget.dropped_bytes and not budget.marked:
                budget.marked = True
                event.log_output.dropped_bytes = budget.dropped_bytes
            elif not kept:
                await asyncio.sleep(LOG_REST_SECONDS)
                continue
            spool.append([now(event)])
    except OSError as error:
        fail(spool_failure(error))
        await drain(stream)


async def _gather(stream: asyncio.StreamReader) -> bytes:
    """Returns what arrives within one log event's time and size; empty at the end of the stream."""
    parts = [await stream.read(LOG_EVENT_BYTES)]
    size = len(parts[0])
    deadline = asyncio.get_running_loop().time() + LOG_EVENT_SECONDS
    try:
        async with asyncio.timeout_at(deadline):
            while parts[-1] and size < LOG_EVENT_BYTES:
                parts.append(await stream.read(LOG_EVENT_BYTES - size))
                size += len(parts[-1])
    except TimeoutError:
        pass
    return b"".join(parts)
