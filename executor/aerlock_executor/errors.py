"""What the executor refuses, each with the gRPC status that says so.

ExecutorError
├── InvalidTaskError   INVALID_ARGUMENT
├── NoSlotError        RESOURCE_EXHAUSTED
├── SpoolError         UNAVAILABLE
├── StoppingError      UNAVAILABLE
└── UnknownTaskError   NOT_FOUND
"""

import grpc


class ExecutorError(Exception):
    """A refusal; nothing was started."""

    code = grpc.StatusCode.INTERNAL


class InvalidTaskError(ExecutorError):
    """The request cannot be a task."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NoSlotError(ExecutorError):
    """Every slot is taken."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class SpoolError(ExecutorError):
    """The disk takes no spool."""

    code = grpc.StatusCode.UNAVAILABLE


class StoppingError(ExecutorError):
    """The executor is stopping."""

    code = grpc.StatusCode.UNAVAILABLE


class UnknownTaskError(ExecutorError):
    """No such task."""

    code = grpc.StatusCode.NOT_FOUND
