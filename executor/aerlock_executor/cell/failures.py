"""Tells what a program raised as a JobFailure: its own frames, its own lines, bounded text."""

import traceback
from collections.abc import Container
from typing import Final

from qiskit_aer import AerError

from aerlock.codec.bounds import ValueBoundsError
from aerlock.v1 import jobs_pb2
from aerlock.v1.jobs_pb2 import JobFailure
from aerlock_executor.cell.exhaustion import MOST_EXCEPTIONS, Reason, related
from aerlock_executor.cell.inputs import InvalidInputError
from aerlock_executor.cell.messenger import InvalidResultError, TwoFinalResultsError
from aerlock_executor.cell.program_files import ProgramLoadError

MAX_MESSAGE_BYTES: Final = 4 << 10
MAX_TRACEBACK_BYTES: Final = 32 << 10

_CUT = "\n[…]\n"
_OWN_ERRORS = (ProgramLoadError, InvalidInputError, InvalidResultError, TwoFinalResultsError)
_REASONS: Final[tuple[tuple[type[BaseException], Reason], ...]] = (
    (SystemExit, jobs_pb2.FAILURE_REASON_NO_RESULT),
    (InvalidInputError, jobs_pb2.FAILURE_REASON_INVALID_INPUT),
    (InvalidResultError, jobs_pb2.FAILURE_REASON_INVALID_RESULT),
    (TwoFinalResultsError, jobs_pb2.FAILURE_REASON_INVALID_RESULT),
    (ValueBoundsError, jobs_pb2.FAILURE_REASON_INVALID_RESULT),
    (AerError, jobs_pb2.FAILURE_REASON_SIMULATOR_ERROR),
)
# An InvalidInputError and its like say more than what was behind them.
_MAY_HIDE_A_LIMIT: Final = (
    jobs_pb2.FAILURE_REASON_PROGRAM_ERROR,
    jobs_pb2.FAILURE_REASON_SIMULATOR_ERROR,
)


def describe(error: BaseException, program_files: Container[str], limit: Reason | None) -> JobFailure:
    """The failure that ``error`` means; never raises, whatever the program's exception does.

    ``limit`` is the one that `limit_behind` has found.
    """
    failure = JobFailure(reason=_reason(error, limit))
    try:
        if _count_related(error) > MOST_EXCEPTIONS:
            error = _alone(error)
        failure.message = _shortened(_message(error), MAX_MESSAGE_BYTES)
        failure.traceback = _shortened(_traceback(error, program_files), MAX_TRACEBACK_BYTES)
    except BaseException:  # of the program's own methods, which may raise anything
        failure.message = failure.message or "The program raised an exception that cannot be shown."
    return failure


def _reason(error: BaseException, limit: Reason | None) -> Reason:
    """What the program raised, or the limit behind it."""
    kind = type(error)
    reason = next(
        (reason for known, reason in _REASONS if issubclass(kind, known)),
        jobs_pb2.FAILURE_REASON_PROGRAM_ERROR,
    )
    if reason in _MAY_HIDE_A_LIMIT:
        return limit or reason
    return reason


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "The program exited before main returned."
    if isinstance(error, _OWN_ERRORS):
        return str(error)
    if isinstance(error, SyntaxError):  # its line and the caret are in the traceback
        return f"{type(error).__name__}: {error}"
    return "".join(
        traceback.TracebackException(type(error), error, None, compact=True).format_exception_only()
    ).strip()


def _count_related(error: BaseException) -> int:
    """How many exceptions Python's report of this one shows, or somewhat more than `MOST_EXCEPTIONS`."""
    return sum(1 for _ in related(error))


def _alone(error: BaseException) -> BaseException:
    """What looks like ``error`` without the exceptions that belong to it."""
    kind = type(error)
    shown: Exception = type(kind.__name__, (Exception,), {"__module__": kind.__module__})(str(error))
    shown.add_note("The exceptions that belong to it are too many to show.")
    return shown.with_traceback(error.__traceback__)


def _traceback(error: BaseException, program_files: Container[str]) -> str:
    """Python's traceback without the frames of anything but the program; empty where none is left."""
    if isinstance(error, _OWN_ERRORS):
        return ""
    report = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    _keep_frames(report, program_files)
    return "".join(report.format())


def _keep_frames(report: traceback.TracebackException, program_files: Container[str]) -> None:
    """Filters the frames of an exception and of those behind it."""
    pending = [report]
    while pending:
        current = pending.pop()
        own = [frame for frame in current.stack if frame.filename in program_files]
        current.stack = traceback.StackSummary.from_list(own)
        related = (current.__cause__, current.__context__, *(current.exceptions or ()))
        pending.extend(item for item in related if item is not None)


def _shortened(text: str, limit: int) -> str:
    """At most ``limit`` bytes of UTF-8: the beginning and the end of what is longer."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= limit:
        return encoded.decode()
    half = (limit - len(_CUT.encode())) // 2
    return encoded[:half].decode(errors="ignore") + _CUT + encoded[-half:].decode(errors="ignore")
