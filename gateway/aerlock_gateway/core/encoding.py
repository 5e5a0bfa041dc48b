"""How an event lies in the database: as the bytes of a response that holds this one event.

Concatenated protobuf messages merge, and ``events`` has the field number 1 in
WatchJobResponse and in JobEntry. So a page is the joined bytes of its rows, parsed
once: no object per event is made to read, filter or send it.
"""

from aerlock.v1.jobs_pb2 import (
    EVENT_KIND_FINAL_RESULT,
    EVENT_KIND_INTERIM_RESULT,
    EVENT_KIND_LOG_OUTPUT,
    EVENT_KIND_STATE_CHANGE,
    EVENT_KIND_WARNING,
    JobEvent,
)
from aerlock_executor.v1.executor_pb2 import TaskEvent

KINDS: dict[str, int] = {
    "state_change": EVENT_KIND_STATE_CHANGE,
    "interim_result": EVENT_KIND_INTERIM_RESULT,
    "final_result": EVENT_KIND_FINAL_RESULT,
    "log_output": EVENT_KIND_LOG_OUTPUT,
    "warning": EVENT_KIND_WARNING,
}
"""The names of JobEvent's oneof with their EventKind."""

_EVENTS_TAG = b"\x0a"


def encode_event(event: JobEvent) -> bytes:
    """Returns the bytes of ``WatchJobResponse(events=[event])``."""
    return _as_events_field(event.SerializeToString())


def encode_task_event(event: TaskEvent, sequence: int) -> bytes:
    """Returns the same for a task's event, which gets the sequence where it had its offset.

    TaskEvent.offset and JobEvent.sequence are both field 1 of type int64, and the
    fields that carry results and output are the same in both messages: turning the
    one into the other takes no copy of the value.
    """
    event.offset = sequence
    return _as_events_field(event.SerializeToString())


def _as_events_field(message: bytes) -> bytes:
    length = bytearray()
    rest = len(message)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return _EVENTS_TAG + length + message
