"""Job logs: dense sequences, one terminal event, the row as their projection; on a real database."""

import asyncio
import itertools
import sqlite3
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from aerlock.v1.jobs_pb2 import (
    JobState,
    LogOutput,
    StateChange,
    WatchJobRequest,
    WatchJobResponse,
    WatchJobsRequest,
    WatchJobsResponse,
)
from aerlock.v1.values_pb2 import Value
from aerlock_executor.v1.executor_pb2 import TaskEnded, TaskEvent, TaskStarted
from aerlock_gateway.core.access import Account, Role
from aerlock_gateway.core.bell import Bell
from aerlock_gateway.core.joblog import JobLog, SpoolGapError
from aerlock_gateway.core.limits import JobLimits
from aerlock_gateway.core.scheduler import Placement, Scheduler
from aerlock_gateway.core.states import TERMINAL, IllegalTransitionError, check_transition
from aerlock_gateway.core.streams import Streams
from aerlock_gateway.core.watch import Watch
from aerlock_gateway.store import jobs
from aerlock_gateway.store.database import Database

QUEUED, RUNNING, CANCELLING, COMPLETED, FAILED, CANCELLED = range(1, 7)


ALICE = Account("alice", Role.AUTHOR)
LIMITS = JobLimits(1000, 100, 100)


@asynccontextmanager
async def opened(slots: int = 1):
    with tempfile.TemporaryDirectory() as folder:
        database, bell, scheduler = Database(Path(folder) / "test.db"), Bell(), Scheduler(LIMITS)
        scheduler.placement = Placement(slots, "full")
        started = []
        scheduler.start = started.append
        log = JobLog(database, bell, scheduler)
        try:
            yield SimpleNamespace(
                database=database,
                scheduler=scheduler,
                log=log,
                bell=bell,
                watch=Watch(database, bell, Streams(100, 100)),
                started=started,
            )
        finally:
            await database.close()


async def create(gateway, job_id: str = "job", owner: str = "alice") -> jobs.Head:
    new = jobs.NewJob(job_id, owner, "program", 1, "aer_simulator", b"", (), b"")
    appended = await gateway.database.write(lambda c: gateway.log.insert(c, new), gateway.log.publish)
    return appended.heads[0]


async def cancel(gateway, job: int) -> None:
    await gateway.database.write(lambda c: gateway.log.cancel(c, job), gateway.log.publish)


async def pages_of(gateway, request):
    """The pages of a watch, as its client reads them."""
    async for page in gateway.watch.job(ALICE, request):
        yield WatchJobResponse.FromString(page)


async def log_of(gateway, job_id: str = "job", **fields):
    request = WatchJobRequest(job_id=job_id, replay_only=True, **fields)
    return [event async for page in pages_of(gateway, request) for event in page.events]


def task_events(first: int, count: int):
    return [
        TaskEvent(offset=first + n, time=Timestamp(seconds=1), interim_result=Value(int_value=first + n))
        for n in range(count)
    ]


def ended(offset: int, state: int = COMPLETED) -> TaskEvent:
    return TaskEvent(offset=offset, time=Timestamp(seconds=2), ended=TaskEnded(state=state))


@given(st.sampled_from(JobState.values()), st.sampled_from(JobState.values()))
def test_no_transition_leaves_a_terminal_state_or_enters_the_first_twice(old, new):
    try:
        check_transition(old, new)
    except IllegalTransitionError:
        return
    assert old not in TERMINAL
    assert new != old
    assert (new == QUEUED) == (old == 0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("events"), st.integers(-5, 1), st.integers(1, 6)),
        st.tuples(st.just("end"), st.sampled_from([COMPLETED, FAILED, CANCELLED]), st.just(0)),
        st.tuples(st.just("cancel"), st.just(0), st.just(0)),
        st.tuples(st.just("lose"), st.just(0), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_any_history_leaves_a_dense_log_with_at_most_one_end(steps):
    asyncio.run(live_through(steps))


async def live_through(steps):
    async with opened() as gateway:
        head = await create(gateway)
        expected, offset, over = [], 0, False
        for kind, first, count in steps:
            if kind == "events":
                start = max(1, offset + 1 + min(first, 0))
                batch = task_events(start, count)
                if not over:
                    expected += [n for n in range(start, start + count) if n > offset]
                    offset = max(offset, start + count - 1)
                await gateway.log.append(head.id, batch)
            elif kind == "end":
                await gateway.log.append(head.id, [ended(offset + 1, first)])
                over = True
            elif kind == "cancel":
                await cancel(gateway, head.id)
            else:
                await gateway.log.end(head.id, StateChange(state=FAILED))
                over = True
        events = await log_of(gateway)
        row = await gateway.database.read(lambda c: jobs.find(c, "job"))
    states = [event.state_change.state for event in events if event.HasField("state_change")]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [
        event.interim_result.int_value for event in events if event.HasField("interim_result")
    ] == expected
    assert states[:2] == [QUEUED, RUNNING]
    assert sum(state in TERMINAL for state in states) == over
    assert (row.state, row.last_sequence) == (states[-1], len(events))
    assert over == (row.end_time is not None)


async def test_job_that_starts_at_once_is_queued_and_running_in_one_commit():
    async with opened() as gateway:
        await create(gateway)
        states = [event.state_change.state for event in await log_of(gateway)]
        assert states == [QUEUED, RUNNING]
        assert [head.job_id for head in gateway.started] == ["job"]


async def test_end_of_a_job_starts_the_one_that_waited_longest():
    async with opened() as gateway:
        heads = [await create(gateway, f"job{n}") for n in range(3)]
        await gateway.log.append(heads[0].id, [ended(1)])
        assert [head.job_id for head in gateway.started] == ["job0", "job1"]
        await gateway.log.end(heads[1].id, StateChange(state=FAILED))
        assert [head.job_id for head in gateway.started] == ["job0", "job1", "job2"]


async def test_gap_in_offsets_appends_nothing():
    async with opened() as gateway:
        head = await create(gateway)
        with pytest.raises(SpoolGapError):
            await gateway.log.append(head.id, [*task_events(1, 2), *task_events(4, 1)])
        assert len(await log_of(gateway)) == 2


async def test_failing_write_undoes_itself_and_spares_its_neighbours():
    async with opened() as gateway:

        def fail(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO accounts (name, role, create_time) VALUES ('mallory', 'x', 0)")
            raise RuntimeError("no")

        good = [create(gateway, f"job{n}") for n in range(5)]
        bad = gateway.database.write(fail)
        *_, outcome = await asyncio.gather(*good, bad, return_exceptions=True)
        assert isinstance(outcome, RuntimeError)
        count = await gateway.database.read(
            lambda c: c.execute(
                "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM accounts)"
            ).fetchone()
        )
        assert count == (5, 0)


async def test_kinds_outputs_and_first_output_time_are_projected():
    async with opened() as gateway:
        head = await create(gateway)
        output = LogOutput(source="LOG_SOURCE_STDOUT", data=b"hi")
        await gateway.log.append(
            head.id,
            [
                TaskEvent(offset=1, started=TaskStarted()),
                TaskEvent(offset=2, time=Timestamp(seconds=5), log_output=output),
                TaskEvent(offset=3, time=Timestamp(seconds=6), final_result=Value(string_value="done")),
                ended(4),
            ],
        )
        events = await log_of(gateway)
        assert [event.WhichOneof("event") for event in events[2:]] == [
            "log_output",
            "final_result",
            "state_change",
        ]
        assert events[2].log_output == output
        filtered = await log_of(gateway, kinds=["EVENT_KIND_LOG_OUTPUT"])
        assert [event.sequence for event in filtered] == [3, 5]
        row = await gateway.database.read(lambda c: jobs.find(c, "job"))
        assert row.first_output_time == 5 * 10**9


async def test_pages_stay_within_their_bound_and_miss_nothing():
    async with opened() as gateway:
        head = await create(gateway)
        for offset in range(1, 9):
            value = Value(bytes_value=bytes(1_000_000 if offset % 2 else 600_000))
            await gateway.log.append(head.id, [TaskEvent(offset=offset, interim_result=value)])
        request = WatchJobRequest(job_id="job", replay_only=True)
        pages = [page async for page in pages_of(gateway, request)]
        assert len(pages) > 2
        assert all(page.ByteSize() <= (1 << 20) + (1 << 10) for page in pages)
        assert [event.sequence for page in pages for event in page.events] == list(range(1, 11))
        assert [page.scanned_sequence for page in pages] == [page.events[-1].sequence for page in pages]
        together = gateway.watch.account(ALICE, WatchJobsRequest())
        sequences, sizes = [], []
        async for encoded in together:
            sizes.append(len(encoded))
            response = WatchJobsResponse.FromString(encoded)
            sequences += [event.sequence for entry in response.entries for event in entry.events]
            if len(sequences) == 10:
                break
        await together.aclose()
        assert sequences == list(range(1, 11))
        assert max(sizes) <= (1 << 20) + (1 << 10)


async def test_watcher_sees_events_as_they_are_committed():
    async with opened() as gateway:
        head = await create(gateway)
        seen = []

        async def watch() -> None:
            async for page in pages_of(gateway, WatchJobRequest(job_id="job")):
                seen.extend(page.events)

        watching = asyncio.create_task(watch())
        for offset in range(1, 200):
            await gateway.log.append(head.id, task_events(offset, 1))
        await gateway.log.append(head.id, [ended(200)])
        await asyncio.wait_for(watching, 10)
        assert [event.sequence for event in seen] == list(range(1, 203))


async def test_clock_that_jumps_back_and_forth_leaves_the_log_in_order(monkeypatch):
    async with opened(slots=0) as gateway:
        times = itertools.cycle([10**18, 10**9, 2 * 10**18, 1])
        monkeypatch.setattr(time, "time_ns", lambda: next(times))
        heads = [await create(gateway, f"job{number}") for number in range(3)]
        gateway.scheduler.placement = Placement(3, "full")
        await gateway.log.start_queued()
        for head in heads:
            await gateway.log.append(head.id, task_events(1, 3))
            await gateway.log.end(head.id, StateChange(state=FAILED))
            events = await log_of(gateway, head.job_id)
            assert [event.sequence for event in events] == list(range(1, 7))
        assert [head.job_id for head in gateway.started] == ["job0", "job1", "job2"]


async def test_large_transaction_does_not_leave_a_large_wal(tmp_path):
    database = Database(tmp_path / "test.db")
    wal = tmp_path / "test.db-wal"
    try:
        await database.write(lambda c: c.execute("CREATE TABLE large (content BLOB)").close())
        await database.write(lambda c: c.execute("INSERT INTO large VALUES (zeroblob(40000000))").close())
        assert wal.stat().st_size > 40_000_000
        for _ in range(2):  # the first of them begins the file anew
            await database.write(lambda c: c.execute("INSERT INTO large VALUES (x'00')").close())
        assert wal.stat().st_size <= 16 << 20
    finally:
        await database.close()
