"""The failures of programs at their limits: each with its sentence, the limit and the use."""

from typing import Final

from aerlock.v1.jobs_pb2 import FailureReason, JobFailure
from aerlock_executor.limits import Limits
from aerlock_executor.running_cell import CellExit

CLAIMED_LIMITS: Final = frozenset(
    {
        FailureReason.FAILURE_REASON_MEMORY_LIMIT,
        FailureReason.FAILURE_REASON_THREAD_LIMIT,
        FailureReason.FAILURE_REASON_SCRATCH_BYTES_LIMIT,
        FailureReason.FAILURE_REASON_SCRATCH_FILES_LIMIT,
        FailureReason.FAILURE_REASON_OPEN_FILES_LIMIT,
    }
)
"""At these a program gets an error of the operating system, which only its own process can tell."""


def at_claimed_limit(reported: JobFailure, limits: Limits, exit_: CellExit) -> JobFailure:
    """What a program that raised at a limit is told: limit and use are what the executor knows.

    Memory is measured. Of threads, files and scratch a program that is refused has all that it may.
    """
    reason, cell = reported.reason, limits.cell
    if reason == FailureReason.FAILURE_REASON_THREAD_LIMIT and exit_.refused_threads == 0:
        reason = FailureReason.FAILURE_REASON_MEMORY_LIMIT  # there was none for the thread's stack
    match reason:
        case FailureReason.FAILURE_REASON_MEMORY_LIMIT:
            failure = out_of_memory(limits, exit_)
        case FailureReason.FAILURE_REASON_THREAD_LIMIT:
            failure = out_of_threads(limits)
        case FailureReason.FAILURE_REASON_SCRATCH_BYTES_LIMIT:
            what = "wrote more to /tmp and /dev/shm"
            failure = at_limit(reason, what, cell.scratch_bytes, cell.scratch_bytes, " bytes")
        case FailureReason.FAILURE_REASON_SCRATCH_FILES_LIMIT:
            what = "made another file in /tmp or /dev/shm"
            failure = at_limit(reason, what, cell.scratch_files, cell.scratch_files, " files")
        case _:
            what = "opened another file"
            failure = at_limit(reason, what, cell.open_files, cell.open_files, " file descriptors")
    failure.traceback = reported.traceback
    return failure


def out_of_memory(limits: Limits, exit_: CellExit) -> JobFailure:
    """Memory was refused to the program, or the kernel ended it for that."""
    reason, limit = FailureReason.FAILURE_REASON_MEMORY_LIMIT, limits.cell.memory_bytes
    used = exit_.peak_memory_bytes  # far below the limit, where one large request was refused
    did = "asked for memory that would have taken it" if used <= limit else "took memory"
    message = (
        f"The program {did} beyond its limit of {limit:,} bytes; at its peak it had {used:,} bytes in use."
    )
    return JobFailure(reason=reason, message=message, limit=limit, used=used)


def out_of_threads(limits: Limits) -> JobFailure:
    """A thread was refused to the program."""
    reason, limit = FailureReason.FAILURE_REASON_THREAD_LIMIT, limits.cell.threads
    return at_limit(reason, "asked for another thread", limit, limit, " threads")


def at_limit(
    reason: "FailureReason.ValueType", what: str, used: float, limit: float, unit: str
) -> JobFailure:
    """The failure of a program that did ``what`` when it had ``used`` so many of a unit."""
    message = f"The program {what}; it used {used:,}{unit}, and the limit is {limit:,}."
    return JobFailure(reason=reason, message=message, limit=limit, used=used)
