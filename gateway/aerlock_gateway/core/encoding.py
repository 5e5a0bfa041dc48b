"""How an event lies in the database: as the bytes of a response that holds this one event.

Concatenated protobuf messages merge, and ``events`` has the field number 1 in
WatchJobResponse and in JobEntry. So a page is the joined bytes of its rows, parsed
once: no object per event is made to read, filter or send it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aerlock.codec.blob_stream import varint
from aerlock.v1.jobs_pb2 import (
    EVENT_KIND_FINAL_RESULT,
    EVENT_KIND_INTERIM_RESULT,
    EVENT_KIND_LOG_OUTPUT,
    EVENT_KIND_STATE_CHANGE,
    EVENT_KIND_WARNING,
    JobEntry,
    JobEvent,
)
from aerlock.v1.values_pb2 import BlobRef
from aerlock_executor.v1.executor_pb2 import AttachTaskResponse, TaskEvent

KINDS: dict[str, int] = {
    "state_change": EVENT_KIND_STATE_CHANGE,
    "interim_result": EVENT_KIND_INTERIM_RESULT,
    "final_result": EVENT_KIND_FINAL_RESULT,
    "log_output": EVENT_KIND_LOG_OUTPUT,
    "warning": EVENT_KIND_WARNING,
}
"""The names of JobEvent's oneof with their EventKind."""

# Field 1 of WatchJobResponse and of JobEntry, and field 1 of WatchJobsResponse.
_EVENTS_TAG = _ENTRIES_TAG = b"\x0a"
# Of TaskEvent.blobs, field 100. To ask an event for its blobs takes as long as to look at this many bytes.
_BLOBS_TAG = b"\xa2\x06"
_BYTES_PER_QUESTION = 400


@dataclass(frozen=True, slots=True)
class Batch:
    """What one message of a task's stream brings."""

    # Without their field `blobs`, which JobEvent does not have.
    events: Sequence[TaskEvent]
    # Those that the events refer to, each once.
    blobs: Sequence[BlobRef]


def read_batch(message: bytes) -> Batch:
    """Parses a StartTaskResponse or an AttachTaskResponse, which have the same form.

    Few events have blobs, and a batch may have ten thousands: where they are
    small, one look at the bytes is cheaper than to ask each.
    """
    events = AttachTaskResponse.FromString(message).events
    if len(message) < len(events) * _BYTES_PER_QUESTION and _BLOBS_TAG not in message:
        return Batch(events, ())
    blobs: dict[str, BlobRef] = {}
    for event in events:
        if event.blobs:
            blobs.update((blob.sha256, blob) for blob in event.blobs)
            event.ClearField("blobs")
    return Batch(events, tuple(blobs.values()))


def encode_event(event: JobEvent) -> bytes:
    """Returns the bytes of ``WatchJobResponse(events=[event])``."""
    return _as_events_field(event.SerializeToString())


def encode_task_event(event: TaskEvent, sequence: int) -> bytes:
    """Returns the same for a task's event, which gets the sequence where it had its offset.

    TaskEvent.offset and JobEvent.sequence are both field 1 of type int64, and the
    fields that carry results and output are the same in both messages: turning the
    one into the other takes no copy of the value. `read_batch` has taken away what
    JobEvent does not have.
    """
    event.offset = sequence
    return _as_events_field(event.SerializeToString())


def encode_entry(job_id: str, encoded: Sequence[bytes]) -> bytes:
    """Returns the bytes of ``WatchJobsResponse(entries=[entry])`` with a job's encoded events."""
    name = JobEntry(job_id=job_id).SerializeToString()
    size = sum(map(len, encoded)) + len(name)
    return b"".join((_ENTRIES_TAG, varint(size), *encoded, name))


def _as_events_field(message: bytes) -> bytes:
    return _EVENTS_TAG + varint(len(message)) + message
