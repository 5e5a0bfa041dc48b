"""Everything that the client raises, as one tree, with the status and reason that each stands for.

===========================  ====================================  =================================
exception                    status                                reason
===========================  ====================================  =================================
AerlockError                 any other
├── InputValueError          INVALID_ARGUMENT                      any; also what the client refuses
├── NotAuthorizedError       UNAUTHENTICATED, PERMISSION_DENIED    any
├── RuntimeProgramNotFound   NOT_FOUND                             PROGRAM_NOT_FOUND
├── RuntimeJobNotFound       NOT_FOUND                             JOB_NOT_FOUND
├── BackendNotFoundError     NOT_FOUND                             BACKEND_NOT_FOUND
├── ConflictError            ABORTED                               any
├── QuotaExceededError       RESOURCE_EXHAUSTED                    any
├── ServerUnavailableError   UNAVAILABLE, DEADLINE_EXCEEDED,       any
│                            CANCELLED
├── RuntimeJobTimeoutError   none: the time that a caller gave to wait is over
├── RuntimeInvalidStateError none: not possible in the state that the job is in
└── RuntimeJobFailureError   none: the job ended with a JobFailure
    └── RuntimeJobMaxTimeoutError                                  TIME_LIMIT
===========================  ====================================  =================================
"""

from collections.abc import Sequence
from typing import Final


class AerlockError(Exception):
    """Something went wrong; ``reason`` is the server's stable word for it, or empty."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class InputValueError(AerlockError, ValueError):
    """A value is wrong; ``violations`` are pairs of a field and what would be right."""

    def __init__(self, message: str, reason: str = "", violations: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message, reason)
        self.violations = tuple(violations)


class NotAuthorizedError(AerlockError):
    """The token is missing, unknown, expired or revoked, or does not allow this."""


class RuntimeProgramNotFound(AerlockError):  # noqa: N818 - the name of the original
    """There is no such program, or not for this account."""


class RuntimeJobNotFound(AerlockError):  # noqa: N818 - the name of the original
    """There is no such job, or not for this account."""


class BackendNotFoundError(AerlockError):
    """There is no such backend; the message lists those that there are."""


class ConflictError(AerlockError):
    """Others have changed it meanwhile; read it again and begin anew."""


class QuotaExceededError(AerlockError):
    """A limit is reached; ``retry_seconds`` says when to try again, where the server knows."""

    def __init__(self, message: str, reason: str = "", retry_seconds: float | None = None) -> None:
        super().__init__(message, reason)
        self.retry_seconds = retry_seconds


class ServerUnavailableError(AerlockError):
    """The server cannot be reached or cannot serve now; trying again is safe."""


class RuntimeJobTimeoutError(AerlockError, TimeoutError):
    """The job has not ended within the time that the caller gave; it goes on."""


class RuntimeInvalidStateError(AerlockError):
    """What was asked is not possible in this state."""


class RuntimeJobFailureError(AerlockError):
    """The job failed; the message has the program's traceback."""


class RuntimeJobMaxTimeoutError(RuntimeJobFailureError):
    """The job ran longer than its max_execution_time."""


BY_STATUS: Final[dict[str, type[AerlockError]]] = {
    "INVALID_ARGUMENT": InputValueError,
    "UNAUTHENTICATED": NotAuthorizedError,
    "PERMISSION_DENIED": NotAuthorizedError,
    "ABORTED": ConflictError,
    "RESOURCE_EXHAUSTED": QuotaExceededError,
    "UNAVAILABLE": ServerUnavailableError,
    "DEADLINE_EXCEEDED": ServerUnavailableError,
    "CANCELLED": ServerUnavailableError,
}
"""The exception of a status where its reason is not in `BY_REASON`."""

BY_REASON: Final[dict[str, type[AerlockError]]] = {
    "PROGRAM_NOT_FOUND": RuntimeProgramNotFound,
    "JOB_NOT_FOUND": RuntimeJobNotFound,
    "BACKEND_NOT_FOUND": BackendNotFoundError,
}
