"""Recognizes the limit behind what a program raised, also where libraries have wrapped it."""

import errno
import os
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from aerlock.v1 import jobs_pb2
from aerlock_executor.cell import limits

MOST_EXCEPTIONS: Final = 1000
"""Python's report repeats an exception wherever it belongs: groups of one another would have no end."""

# As Python says that a thread was refused; C++ says no more than the second, Rust the second and the third.
_NO_THREAD: Final = "can't start new thread"
_TRY_AGAIN: Final = os.strerror(errno.EAGAIN)
_THREAD: Final = "thread"
# As NumPy says that a file takes no more.
_SHORT_WRITE: Final = re.compile(r"\d+ requested and \d+ written")
_PANIC: Final = "PanicException"

Reason: TypeAlias = jobs_pb2.FailureReason.ValueType


def related(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception and what belongs to it, as Python reports them: `MOST_EXCEPTIONS` + 1 at most."""
    pending, chained, count = [error], {id(error)}, 0
    while pending and count <= MOST_EXCEPTIONS:
        current = pending.pop()
        count += 1
        yield current
        for behind in (current.__cause__, current.__context__):
            if behind is not None and id(behind) not in chained:
                chained.add(id(behind))
                pending.append(behind)
        if isinstance(current, BaseExceptionGroup):
            pending.extend(current.exceptions)


def limit_behind(error: BaseException) -> Reason | None:
    """The limit that an exception, or one that belongs to it, comes from; never raises."""
    if isinstance(error, MemoryError):  # to look further needs memory
        return jobs_pb2.FAILURE_REASON_MEMORY_LIMIT
    try:
        return next((reason for one in related(error) if (reason := _limit(one))), None)
    except MemoryError:  # there is not even enough to look
        return jobs_pb2.FAILURE_REASON_MEMORY_LIMIT
    except BaseException:  # of the program's own methods, which may raise anything
        return None


def _limit(error: BaseException) -> Reason | None:
    if isinstance(error, MemoryError):
        return jobs_pb2.FAILURE_REASON_MEMORY_LIMIT
    if isinstance(error, OSError):
        return _limit_of_system(error)
    if isinstance(error, RuntimeError) or type(error).__name__ == _PANIC:
        return _limit_of_threads(str(error))
    return None


def _limit_of_threads(text: str) -> Reason | None:
    """What kept a library from starting a thread: there may be no more, or there is no room for its stack."""
    if _NO_THREAD not in text and text != _TRY_AGAIN and not (_THREAD in text and _TRY_AGAIN in text):
        return None
    if limits.has_memory_for_thread():
        return jobs_pb2.FAILURE_REASON_THREAD_LIMIT
    return jobs_pb2.FAILURE_REASON_MEMORY_LIMIT


def _limit_of_system(error: OSError) -> Reason | None:
    match error.errno:
        case None if _SHORT_WRITE.search(str(error)):
            return jobs_pb2.FAILURE_REASON_SCRATCH_BYTES_LIMIT
        case errno.EMFILE:
            return jobs_pb2.FAILURE_REASON_OPEN_FILES_LIMIT
        case errno.EFBIG:
            return jobs_pb2.FAILURE_REASON_SCRATCH_BYTES_LIMIT
        case errno.ENOMEM:
            return jobs_pb2.FAILURE_REASON_MEMORY_LIMIT
        case errno.ENOSPC:
            return _limit_of_scratch(error)
    return None


def _limit_of_scratch(error: OSError) -> Reason:
    """What there is no room for: files, or bytes. Some may be gone again by now."""
    status = os.statvfs(limits.SCRATCH)
    if status.f_ffree and status.f_bfree:
        # What makes a file names it, and what writes to one does not; shutil names both of a copy.
        no_files = error.filename is not None and error.filename2 is None
    else:
        no_files = not status.f_ffree
    if no_files:
        return jobs_pb2.FAILURE_REASON_SCRATCH_FILES_LIMIT
    return jobs_pb2.FAILURE_REASON_SCRATCH_BYTES_LIMIT
