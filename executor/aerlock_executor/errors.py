"""What the executor refuses, each with the gRPC status that says so.

ExecutorError
├── BlobOffsetError    OUT_OF_RANGE
├── InvalidBlobError   INVALID_ARGUMENT
├── InvalidTaskError   INVALID_ARGUMENT
├── MissingBlobError   FAILED_PRECONDITION
├── NoRoomError        RESOURCE_EXHAUSTED
├── NoSlotError        RESOURCE_EXHAUSTED
├── SpoolError         UNAVAILABLE
├── StoppingError      UNAVAILABLE
├── UnknownBlobError   NOT_FOUND
└── UnknownTaskError   NOT_FOUND
"""

import grpc


class ExecutorError(Exception):
    """A refusal; nothing was started."""

    code = grpc.StatusCode.INTERNAL


class BlobOffsetError(ExecutorError):
    """The blob has no such offset."""

    code = grpc.StatusCode.OUT_OF_RANGE


class InvalidBlobError(ExecutorError):
    """What was written is no blob, or not the one that was announced."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class InvalidTaskError(ExecutorError):
    """The request cannot be a task."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class MissingBlobError(ExecutorError):
    """A blob that the inputs refer to is not here."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class NoRoomError(ExecutorError):
    """The disk has no room for a blob."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class NoSlotError(ExecutorError):
    """Every slot is taken."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class SpoolError(ExecutorError):
    """The disk takes no spool, or no blob."""

    code = grpc.StatusCode.UNAVAILABLE


class StoppingError(ExecutorError):
    """The executor is stopping."""

    code = grpc.StatusCode.UNAVAILABLE


class UnknownBlobError(ExecutorError):
    """No such blob."""

    code = grpc.StatusCode.NOT_FOUND


class UnknownTaskError(ExecutorError):
    """No such task."""

    code = grpc.StatusCode.NOT_FOUND
