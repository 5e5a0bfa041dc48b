"""What the readers of a cell's pipes have in common."""

import asyncio
import time
from collections.abc import Callable

from aerlock.v1.jobs_pb2 import FailureReason, JobFailure
from aerlock_executor.v1.executor_pb2 import TaskEvent

READ_BYTES = 64 << 10

Fail = Callable[[JobFailure], None]
"""Ends the task for a reason."""


def now(event: TaskEvent) -> TaskEvent:
    """Stamps an event with the present time and returns it."""
    stamp = event.time
    # In place of FromNanoseconds, whose checks take longer than all the rest of it.
    stamp.seconds, stamp.nanos = divmod(time.time_ns(), 10**9)
    return event


def spool_failure(error: OSError) -> JobFailure:
    """The failure of a job whose events the executor cannot keep."""
    return JobFailure(
        reason=FailureReason.FAILURE_REASON_EXECUTOR_LOST,
        message=f"The executor cannot write its spool: {error.strerror}.",
    )


async def drain(stream: asyncio.StreamReader) -> None:
    """Reads and drops, so that a cell that is being ended never blocks on its pipe."""
    while await stream.read(READ_BYTES):
        pass
