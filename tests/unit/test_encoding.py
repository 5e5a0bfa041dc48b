"""Batches of a task's events: blobs are found in them, and nothing of theirs gets into the log."""

import pytest

from aerlock.v1.jobs_pb2 import JobEvent, WatchJobResponse
from aerlock.v1.values_pb2 import BlobRef, Value
from aerlock_executor.v1.executor_pb2 import AttachTaskResponse, StartTaskResponse, TaskEvent
from aerlock_gateway.core.encoding import encode_task_event, read_batch

FIRST, SECOND = (BlobRef(sha256=letter * 64, size_bytes=5) for letter in "ab")


def events_with(count, size, **places):
    """As many events, each with a string of ``size``; ``places`` says which of them has which blobs."""
    return [
        TaskEvent(
            offset=number + 1,
            interim_result=Value(string_value="x" * size),
            blobs=places.get(f"at{number}", ()),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("response", [StartTaskResponse, AttachTaskResponse])
@pytest.mark.parametrize(("count", "size"), [(1, 10), (1, 100_000), (500, 10), (50, 20_000)])
def test_blobs_of_a_batch_are_found_and_taken_out_of_its_events(response, count, size):
    last = f"at{count - 1}"
    message = response(events=events_with(count, size, **{"at0": [FIRST], last: [SECOND, FIRST]}))
    batch = read_batch(message.SerializeToString())
    assert sorted(batch.blobs, key=lambda blob: blob.sha256) == ([FIRST, SECOND])
    assert list(batch.events) == events_with(count, size)


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 100_000), (500, 10)])
def test_batch_without_blobs_is_its_events(count, size):
    # The bytes of the tag of blobs, in a text.
    events = [*events_with(count, size), TaskEvent(interim_result=Value(bytes_value=b"\xa2\x06" * 10))]
    batch = read_batch(StartTaskResponse(events=events).SerializeToString())
    assert (list(batch.events), list(batch.blobs)) == (events, [])


def test_event_of_a_batch_is_stored_as_an_event_of_its_job():
    message = StartTaskResponse(events=events_with(1, 10, at0=[FIRST])).SerializeToString()
    (event,) = read_batch(message).events
    (stored,) = WatchJobResponse.FromString(encode_task_event(event, 7)).events
    assert stored == JobEvent(sequence=7, interim_result=Value(string_value="x" * 10))
