"""How a task ended: decided from what the supervisor saw, never from what the program says of itself."""

import signal
from dataclasses import dataclass

from aerlock.v1.jobs_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    FailureReason,
    JobFailure,
)
from aerlock.v1.values_pb2 import Value
from aerlock_executor.limit_failures import CLAIMED_LIMITS, at_claimed_limit, out_of_memory
from aerlock_executor.limits import Limits
from aerlock_executor.running_cell import CellExit
from aerlock_executor.v1.executor_pb2 import TaskEnded

# What a program may claim as the reason why it raised. Everything else is found outside of it.
CLAIMABLE_REASONS = frozenset(
    {
        FailureReason.FAILURE_REASON_PROGRAM_ERROR,
        FailureReason.FAILURE_REASON_NO_RESULT,
        FailureReason.FAILURE_REASON_INVALID_INPUT,
        FailureReason.FAILURE_REASON_INVALID_RESULT,
        FailureReason.FAILURE_REASON_SIMULATOR_ERROR,
        *CLAIMED_LIMITS,
    }
)

_THREAD_LIMIT = FailureReason.FAILURE_REASON_THREAD_LIMIT
# The kernel enforces the limit by its ticks, and what was used is measured exactly: the two differ a little.
_MEASURED_AT_LIMIT = 0.9


@dataclass
class Observations:
    """What the supervisor saw of a task until its cell was gone."""

    cancelled: bool = False
    # Whether the program's last frame had come when it was cancelled.
    finished_first: bool = False
    # Why the supervisor ended the cell.
    killed_for: JobFailure | None = None
    final_result: Value | None = None
    # What the runner reported before it exited with status 1.
    reported: JobFailure | None = None
    # What a library said of the limit that made it end the program.
    last_words_limit: "FailureReason.ValueType | None" = None
    exit: CellExit | None = None


def judge(seen: Observations, limits: Limits) -> TaskEnded:
    """Returns the end of a task, without its usage."""
    if seen.killed_for is not None:
        return TaskEnded(state=JOB_STATE_FAILED, failure=seen.killed_for)
    # However it took the cancellation: what it returned would be a part that poses as the whole.
    if seen.cancelled and not (seen.finished_first and seen.exit and seen.exit.signal is None):
        return TaskEnded(state=JOB_STATE_CANCELLED)
    if seen.exit is None:
        return _failed(
            FailureReason.FAILURE_REASON_EXECUTOR_LOST, "The executor lost the cell that ran the job."
        )
    if seen.exit.signal is not None:
        return TaskEnded(
            state=JOB_STATE_FAILED, failure=_judge_signal(seen.exit.signal, seen, seen.exit, limits)
        )
    if seen.final_result is not None and seen.exit.exit_code == 0:
        return TaskEnded(state=JOB_STATE_COMPLETED)
    if seen.reported is not None and seen.exit.exit_code == 1 and seen.reported.reason in CLAIMABLE_REASONS:
        failure = seen.reported
        if failure.reason in CLAIMED_LIMITS:
            failure = at_claimed_limit(failure, limits, seen.exit)
        return TaskEnded(state=JOB_STATE_FAILED, failure=failure)
    # OpenMP exits when it cannot start a thread.
    if seen.exit.exit_code and _limit_of_library(seen, seen.exit) == _THREAD_LIMIT:
        failure = at_claimed_limit(JobFailure(reason=_THREAD_LIMIT), limits, seen.exit)
        return TaskEnded(state=JOB_STATE_FAILED, failure=failure)
    failure = JobFailure(
        reason=FailureReason.FAILURE_REASON_NO_RESULT,
        message=f"The program exited with status {seen.exit.exit_code} before main returned.",
        exit_code=seen.exit.exit_code,
    )
    return TaskEnded(state=JOB_STATE_FAILED, failure=failure)


def _limit_of_library(seen: Observations, exit_: CellExit) -> "FailureReason.ValueType | None":
    """The limit at which a library gave up. A thread may have been refused long before."""
    return seen.last_words_limit or (_THREAD_LIMIT if exit_.refused_threads else None)


def _judge_signal(number: int, seen: Observations, exit_: CellExit, limits: Limits) -> JobFailure:
    if exit_.out_of_memory and number == signal.SIGKILL:
        return out_of_memory(limits, exit_)
    if (reason := _limit_by_signal(number, seen, exit_)) is not None:
        return at_claimed_limit(JobFailure(reason=reason), limits, exit_)
    at_limit = exit_.cpu_seconds >= _MEASURED_AT_LIMIT * limits.cpu_seconds > 0
    if at_limit and number in (signal.SIGXCPU, signal.SIGKILL):
        used, limit = exit_.cpu_seconds, limits.cpu_seconds
        message = f"The program used {used:.1f} s of CPU time; the limit is {limit} s."
        reason = FailureReason.FAILURE_REASON_CPU_LIMIT
        return JobFailure(reason=reason, message=message, limit=limit, used=used)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    reason = FailureReason.FAILURE_REASON_CRASHED
    return JobFailure(reason=reason, message=f"The program was ended by {name}.", signal=number)


def _limit_by_signal(number: int, seen: Observations, exit_: CellExit) -> "FailureReason.ValueType | None":
    """The limit at which the system, or a library, ends a program by this signal."""
    match number:
        case signal.SIGABRT:  # what C++ and Rust do with an error that nobody catches
            return _limit_of_library(seen, exit_)
        case signal.SIGXFSZ:  # a file was to be larger than all of them may be
            return FailureReason.FAILURE_REASON_SCRATCH_BYTES_LIMIT
        case signal.SIGBUS if exit_.scratch_full:  # there was no page for a mapped file
            return FailureReason.FAILURE_REASON_SCRATCH_BYTES_LIMIT
    return None


def _failed(reason: "FailureReason.ValueType", message: str) -> TaskEnded:
    return TaskEnded(state=JOB_STATE_FAILED, failure=JobFailure(reason=reason, message=message))
