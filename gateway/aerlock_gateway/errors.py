"""What the gateway refuses, as one tree.

GatewayError
├── InvalidArgumentError   INVALID_ARGUMENT    the caller can cure it
├── UnauthenticatedError   UNAUTHENTICATED     no token, or not one of ours
├── PermissionDeniedError  PERMISSION_DENIED   the caller sees it, and may not do this
├── NotFoundError          NOT_FOUND           it does not exist, or not for this caller
├── AlreadyExistsError     ALREADY_EXISTS      the name is taken
├── PreconditionError      FAILED_PRECONDITION not in the state that things are in
├── AbortedError           ABORTED             something else was faster; begin again
├── ExhaustedError         RESOURCE_EXHAUSTED  a limit; try again later
├── OutOfRangeError        OUT_OF_RANGE        it has no such place
└── UnavailableError       UNAVAILABLE         not now; try again

Every error carries a sentence for people and a reason, a stable word in
capitals, for programs. The interceptor in ``rpc`` turns them into statuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from google.rpc import code_pb2


@dataclass(frozen=True, slots=True)
class Violation:
    """One field of a request that is wrong, and what would be right."""

    field: str
    description: str


class GatewayError(Exception):
    """Something that the caller gets told."""

    code: ClassVar[int]
    default_reason: ClassVar[str]

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        violations: Sequence[Violation] = (),
        retry_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.violations = tuple(violations)
        self.retry_seconds = retry_seconds


class InvalidArgumentError(GatewayError):
    """The request is wrong; ``violations`` name each field."""

    code = code_pb2.INVALID_ARGUMENT
    default_reason = "INVALID_FIELD"

    @classmethod
    def of(cls, violations: Sequence[Violation], reason: str = "") -> "InvalidArgumentError":
        """Makes the error whose message is the violations, each in its sentence."""
        message = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        return cls(message, reason=reason, violations=violations)


class UnauthenticatedError(GatewayError):
    """The caller has not shown who it is."""

    code = code_pb2.UNAUTHENTICATED
    default_reason = "TOKEN_INVALID"


class PermissionDeniedError(GatewayError):
    """The caller may see the thing, and not do this to it."""

    code = code_pb2.PERMISSION_DENIED
    default_reason = "ACCESS_REQUIRED"


class NotFoundError(GatewayError):
    """It does not exist, or may not be seen by the caller: both read the same."""

    code = code_pb2.NOT_FOUND
    default_reason = "NOT_FOUND"


class AlreadyExistsError(GatewayError):
    """The name is taken."""

    code = code_pb2.ALREADY_EXISTS
    default_reason = "ALREADY_EXISTS"


class PreconditionError(GatewayError):
    """Not possible in the state that things are in."""

    code = code_pb2.FAILED_PRECONDITION
    default_reason = "FAILED_PRECONDITION"


class ExhaustedError(GatewayError):
    """A limit is reached for now."""

    code = code_pb2.RESOURCE_EXHAUSTED
    default_reason = "QUEUE_FULL"


class OutOfRangeError(GatewayError):
    """The place that the caller names does not exist, or is not the one to go on from."""

    code = code_pb2.OUT_OF_RANGE
    default_reason = "BLOB_OFFSET"


class AbortedError(GatewayError):
    """What the caller wants does not go with what happens besides; it may begin again."""

    code = code_pb2.ABORTED
    default_reason = "BLOB_BUSY"


class UnavailableError(GatewayError):
    """Not possible at this moment."""

    code = code_pb2.UNAVAILABLE
    default_reason = "STOPPING"
