import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerlock.v1.jobs_pb2 import LogOutput
from aerlock.v1.values_pb2 import Value
from aerlock_executor.spool import MAX_PAGE_BYTES, MAX_PAGE_EVENTS, Spool
from aerlock_executor.v1.executor_pb2 import StartTaskResponse, TaskEnded, TaskEvent


def interim(number: int) -> TaskEvent:
    return TaskEvent(interim_result=Value(int_value=number))


def read_all(spool: Spool, after_offset: int = 0) -> list[TaskEvent]:
    events: list[TaskEvent] = []
    while True:
        page, after_offset = spool.read(after_offset)
        if not page:
            return events
        events.extend(StartTaskResponse.FromString(page).events)


@pytest.fixture
def spool(tmp_path):
    return Spool.create(tmp_path / "job.spool")


def test_appended_events_are_numbered_from_1_and_read_back(spool):
    spool.append([interim(10), interim(11)])
    spool.append([interim(12)])
    assert [(event.offset, event.interim_result.int_value) for event in read_all(spool)] == [
        (1, 10),
        (2, 11),
        (3, 12),
    ]
    assert [event.offset for event in read_all(spool, 2)] == [3]
    assert spool.last_offset == 3


def test_create_over_a_spool_that_exists_is_refused(spool, tmp_path):
    with pytest.raises(FileExistsError):
        Spool.create(tmp_path / "job.spool")


def test_nothing_follows_the_end(spool):
    spool.append([TaskEvent(ended=TaskEnded())])
    assert spool.ended
    with pytest.raises(RuntimeError):
        spool.append([interim(1)])


def test_pages_are_bounded_in_bytes_and_lose_nothing(spool):
    event = TaskEvent(log_output=LogOutput(data=bytes(MAX_PAGE_BYTES // 3)))
    spool.append([event] * 7)
    page, last = spool.read(0)
    assert len(page) <= MAX_PAGE_BYTES
    assert last == 2
    assert [event.offset for event in read_all(spool)] == list(range(1, 8))


def test_event_larger_than_a_page_is_a_page(spool):
    spool.append([TaskEvent(log_output=LogOutput(data=bytes(2 * MAX_PAGE_BYTES)))] * 2)
    assert spool.read(0)[1] == 1
    assert [event.offset for event in read_all(spool)] == [1, 2]


def test_pages_are_bounded_in_events_and_lose_nothing(spool):
    spool.append([interim(number) for number in range(2 * MAX_PAGE_EVENTS + 1)])
    assert spool.read(0)[1] == MAX_PAGE_EVENTS
    assert [event.interim_result.int_value for event in read_all(spool)] == list(
        range(2 * MAX_PAGE_EVENTS + 1)
    )


@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=20), cut=st.integers(0, 5000))
def test_recover_after_a_cut_keeps_every_whole_event(tmp_path_factory, sizes, cut):
    folder = tmp_path_factory.mktemp("spool")
    written = Spool.create(folder / "whole.spool")
    written.append([TaskEvent(log_output=LogOutput(data=bytes(size))) for size in sizes])
    path = folder / "cut.spool"
    path.write_bytes((folder / "whole.spool").read_bytes()[:cut])
    recovered = Spool.recover(path)
    events = read_all(recovered)
    assert [len(event.log_output.data) for event in events] == sizes[: len(events)]
    whole = StartTaskResponse(events=read_all(written)[: len(events) + 1]).ByteSize()
    assert len(events) == len(sizes) or whole > cut
    recovered.append([interim(5)])
    assert read_all(Spool.recover(path))[-1].offset == len(events) + 1
    written.delete()
    recovered.delete()


async def test_reader_that_waits_is_woken_by_an_append_and_by_deletion(spool):
    waiting = asyncio.create_task(spool.wait(0))
    await asyncio.sleep(0)
    assert not waiting.done()
    spool.append([interim(1)])
    await waiting
    waiting = asyncio.create_task(spool.wait(1))
    await asyncio.sleep(0)
    spool.delete()
    await waiting
    assert spool.read(1) == (b"", 0)


def test_final_result_that_was_written_without_its_end_is_dropped(spool, tmp_path):
    spool.append([interim(1)])
    whole = (tmp_path / "job.spool").read_bytes()
    spool.append([TaskEvent(final_result=Value(int_value=2)), TaskEvent(ended=TaskEnded())])
    record = StartTaskResponse(events=[TaskEvent(offset=2, final_result=Value(int_value=2))])
    # As SIGKILL in the middle of the one write leaves it.
    (tmp_path / "torn.spool").write_bytes(whole + record.SerializeToString() + b"\x0a")
    torn = Spool.recover(tmp_path / "torn.spool")
    assert (torn.last_offset, torn.ended) == (1, False)
    assert (tmp_path / "torn.spool").read_bytes() == whole
    assert Spool.recover(tmp_path / "job.spool").last_offset == 3
