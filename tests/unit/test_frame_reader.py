"""What a cell writes, taken in by the supervisor: events in their order, blobs bounded and checked."""

import asyncio
import hashlib
import itertools
import re

import pytest

from aerlock import codec
from aerlock.v1.jobs_pb2 import FailureReason
from aerlock.v1.values_pb2 import BlobRef, ListValue, Value
from aerlock_executor import frame_reader
from aerlock_executor.blobs import BlobStore
from aerlock_executor.cell.frames import encode_frame
from aerlock_executor.frame_reader import BLOB_OVERHEAD_BYTES, FrameReader
from aerlock_executor.spool import Spool
from aerlock_executor.task_blobs import TaskBlobs
from aerlock_executor.v1.cell_pb2 import CellBlobPart, CellFrame
from aerlock_executor.v1.executor_pb2 import StartTaskResponse

LARGE = codec.to_value(b"large " * 50_000).SerializeToString()


class Run:
    """One run of a reader over frames."""

    def __init__(self, folder, max_bytes):
        self.folder = folder
        self.store = BlobStore(folder / "blobs", folder, 0)
        self.blobs = TaskBlobs(self.store, "task", ())
        self.spool = Spool.create(folder / "task.spool")
        self.failures = []
        self.reader = FrameReader(self.spool, self.blobs, max_bytes, self.failures.append)

    async def read(self, frames):
        stream = asyncio.StreamReader()
        stream.feed_data(b"".join(encode_frame(frame.SerializeToString()) for frame in frames))
        stream.feed_eof()
        await self.reader.read(stream)
        self.blobs.close()

    @property
    def events(self):
        return StartTaskResponse.FromString(self.spool.read(0)[0]).events

    @property
    def pins(self):
        return sorted(path.name for path in self.folder.glob("task.blobs/*"))

    @property
    def failure(self):
        """The first reason and its text."""
        assert not list((self.folder / "blobs").glob("draft-*"))
        first = self.failures[0]
        return FailureReason.Name(first.reason).removeprefix("FAILURE_REASON_"), first.message


@pytest.fixture
def run(tmp_path):
    numbers = itertools.count()

    async def run(*frames, max_bytes=1 << 30):
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        reading = Run(folder, max_bytes)
        await reading.read(frames)
        return reading

    return run


def part(data, last=False):
    return CellFrame(blob_part=CellBlobPart(data=data, last=last))


def parts(content, size=100_000):
    starts = range(0, len(content), size)
    return [part(content[start : start + size], start + size >= len(content)) for start in starts]


def ref(content, size=None):
    sha256 = hashlib.sha256(content).hexdigest()
    return BlobRef(sha256=sha256, size_bytes=len(content) if size is None else size)


def interim(number):
    return CellFrame(interim_result=Value(int_value=number))


def naming(*blobs, kind="interim_result"):
    values = [Value(blob_value=blob) for blob in blobs]
    return CellFrame(**{kind: Value(list_value=ListValue(values=values))})


async def test_blob_is_pinned_and_named_by_the_events_that_refer_to_it(run):
    other = codec.to_value("other").SerializeToString()
    done = await run(
        interim(1),
        *parts(LARGE),
        part(other, True),
        naming(ref(other), ref(LARGE), ref(other)),
        interim(2),
        naming(ref(LARGE), kind="final_result"),
    )
    assert not done.failures
    assert [event.interim_result.int_value for event in done.events] == [1, 0, 2]
    assert [list(event.blobs) for event in done.events] == [[], [ref(other), ref(LARGE)], []]
    assert list(done.reader.final_blobs) == [ref(LARGE)]
    assert done.pins == sorted((ref(other).sha256, ref(LARGE).sha256))
    assert done.store.read(ref(LARGE).sha256, 0) == LARGE
    assert done.reader.output_bytes >= len(LARGE) + len(other)


async def test_blob_without_a_reference_is_not_pinned_in_the_end(run):
    done = await run(*parts(LARGE), interim(1))
    assert not done.failures
    assert done.pins == []


async def test_blob_begun_and_not_ended_leaves_nothing(run):
    done = await run(*parts(LARGE)[:-1])
    assert not done.failures
    assert not list((done.folder / "blobs").glob("draft-*"))


async def test_frame_between_the_parts_of_a_blob_is_a_protocol_error(run):
    first, *_ = parts(LARGE)
    final, failure = CellFrame(final_result=Value(int_value=1)), CellFrame()
    failure.failure.message = "x"
    for between in (interim(1), final, failure, CellFrame(ready={})):
        done = await run(interim(0), first, between)
        assert done.failure == ("PROTOCOL_ERROR", "A frame came between the parts of a blob.")
        assert [event.interim_result.int_value for event in done.events] == [0]


async def test_empty_part_that_is_not_the_last_is_a_protocol_error(run):
    done = await run(part(b""), part(LARGE, True))
    assert done.failure == ("PROTOCOL_ERROR", "The program wrote an empty part of a blob.")


async def test_blob_may_end_with_an_empty_part(run):
    done = await run(part(LARGE), part(b"", True), naming(ref(LARGE)))
    assert not done.failures
    assert list(done.events[0].blobs) == [ref(LARGE)]


async def test_reference_to_what_the_task_has_not_written_is_an_invalid_result(run):
    never = ref(b"never written")
    other_size = ref(LARGE, size=len(LARGE) - 1)
    for blob in (never, other_size):
        done = await run(*parts(LARGE), naming(ref(LARGE)), naming(blob))
        assert done.failure == (
            "INVALID_RESULT",
            "A result is refused: it refers to a blob that the program has not written",
        )
        assert len(done.events) == 1


async def test_reference_to_a_blob_of_another_task_is_an_invalid_result(run):
    done = await run(interim(0))
    with done.store.begin() as draft:
        draft.write(LARGE)
        done.store.adopt(draft, "another")
    stream = asyncio.StreamReader()
    stream.feed_data(encode_frame(naming(ref(LARGE)).SerializeToString()))
    stream.feed_eof()
    await done.reader.read(stream)
    assert done.failure[0] == "INVALID_RESULT"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 100_000,
        Value(blob_value=ref(LARGE)).SerializeToString(),
        LARGE[:-1],
        LARGE + b"\x08\x00",
        bytes.fromhex("4a85808080200aff") + bytes(100),
    ],
)
async def test_blob_that_is_no_value_is_an_invalid_result(run, content):
    done = await run(interim(1), part(content, True), interim(2))
    reason, message = done.failure
    assert reason == "INVALID_RESULT"
    assert message.startswith("A result is refused: ")
    assert [event.interim_result.int_value for event in done.events] == [1]
    assert done.pins == []


async def test_bytes_of_blobs_count_against_the_limit_before_they_are_whole(run):
    done = await run(*parts(bytes(1_000_000))[:-1], max_bytes=500_000)
    reason, message = done.failure
    assert reason == "OUTPUT_LIMIT"
    sentence = (
        r"The program's results take more than their limit of 500,000 bytes;"
        r" it was stopped when 5\d\d,\d{3} were counted\."
    )
    assert re.fullmatch(sentence, message)
    assert done.reader.output_bytes <= 600_000


async def test_small_blobs_cost_more_than_their_bytes(run):
    small = part(codec.to_value(1).SerializeToString(), True)
    done = await run(*[small] * 20, max_bytes=10 * BLOB_OVERHEAD_BYTES)
    assert done.failure[0] == "OUTPUT_LIMIT"
    assert 8 <= done.blobs.count <= 10


async def test_more_blobs_than_a_task_may_write_are_an_output_limit(run, monkeypatch):
    monkeypatch.setattr(frame_reader, "MAX_WRITTEN_BLOBS", 20)
    done = await run(*[part(codec.to_value(1).SerializeToString(), True)] * 21)
    assert done.failure == ("OUTPUT_LIMIT", "The program wrote more than 20 large values.")
    done = await run(*[part(codec.to_value(1).SerializeToString(), True)] * 20)
    assert not done.failures


async def test_blob_that_is_given_up_leaves_nothing_and_what_follows_counts(run):
    abandoned = CellFrame(blob_part=CellBlobPart(abandoned=True))
    interim = CellFrame(interim_result=Value(int_value=1))
    reading = await run(abandoned, part(b"x" * 1000), abandoned, interim, *parts(LARGE), abandoned, interim)
    assert reading.failures == []
    assert [event.interim_result.int_value for event in reading.events] == [1, 1]
    assert reading.pins == []
    assert not list((reading.folder / "blobs").glob("draft-*"))
