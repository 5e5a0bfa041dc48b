"""Streams of events: rows of many events, pages that are shared and bounded, and what nobody has to read."""

import asyncio
import sqlite3
import tempfile
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerlock.v1.jobs_pb2 import (
    EVENT_KIND_INTERIM_RESULT,
    EVENT_KIND_LOG_OUTPUT,
    LogOutput,
    WatchJobRequest,
    WatchJobResponse,
    WatchJobsRequest,
    WatchJobsResponse,
)
from aerlock.v1.values_pb2 import Value
from aerlock_executor.v1.executor_pb2 import TaskEnded, TaskEvent
from aerlock_gateway.core.access import Account, Role
from aerlock_gateway.core.bell import Bell
from aerlock_gateway.core.joblog import JobLog
from aerlock_gateway.core.limits import JobLimits
from aerlock_gateway.core.scheduler import Placement, Scheduler
from aerlock_gateway.core.streams import Streams
from aerlock_gateway.core.watch import Watch
from aerlock_gateway.errors import ExhaustedError, NotFoundError
from aerlock_gateway.store import events, jobs
from aerlock_gateway.store.database import Database

COMPLETED = 4
ALICE, BOB = Account("alice", Role.AUTHOR), Account("bob", Role.AUTHOR)
SMALL = 64 << 10


class CountingDatabase(Database):
    """Counts the pages that are read."""

    pages = 0

    async def read_page(self, work):
        self.pages += 1
        return await super().read_page(work)


@asynccontextmanager
async def opened(per_account: int = 100, in_all: int = 100):
    with tempfile.TemporaryDirectory() as folder:
        database, bell = CountingDatabase(Path(folder) / "test.db"), Bell()
        scheduler = Scheduler(JobLimits(1000, 1000, 1000))
        scheduler.placement = Placement(1000, "full")
        log = JobLog(database, bell, scheduler)
        watch = Watch(database, bell, Streams(per_account, in_all))
        try:
            yield SimpleNamespace(database=database, log=log, watch=watch)
        finally:
            await database.close()


async def create(gateway, job_id: str = "job", owner: str = "alice") -> jobs.Head:
    new = jobs.NewJob(job_id, owner, "program", 1, "aer_simulator", b"", "[]", b"")
    appended = await gateway.database.write(lambda c: gateway.log.insert(c, new), gateway.log.publish)
    return appended.heads[0]


def results(first: int, count: int, size: int = 0):
    value = Value(bytes_value=bytes(size))
    return [TaskEvent(offset=first + n, interim_result=value) for n in range(count)]


def ended(offset: int) -> TaskEvent:
    return TaskEvent(offset=offset, ended=TaskEnded(state=COMPLETED))


async def sequences_of(gateway, after: int = 0, kinds=()):
    request = WatchJobRequest(job_id="job", after_sequence=after, kinds=kinds, replay_only=True)
    pages = [WatchJobResponse.FromString(page) async for page in gateway.watch.job(ALICE, request)]
    return [event.sequence for page in pages for event in page.events]


async def test_flood_of_small_events_takes_few_rows():
    async with opened() as gateway:
        head = await create(gateway)
        await gateway.log.append(head.id, results(1, 10_000))
        (rows,) = await gateway.database.read(lambda c: c.execute("SELECT count(*) FROM events").fetchone())
        assert rows < 10
        assert await sequences_of(gateway) == list(range(1, 10_003))


KINDS = [EVENT_KIND_INTERIM_RESULT, EVENT_KIND_LOG_OUTPUT]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 30)), min_size=1, max_size=6))
def test_watching_from_within_a_row_gives_the_rest_once(batches):
    asyncio.run(watch_from_everywhere(batches))


async def watch_from_everywhere(batches):
    async with opened() as gateway:
        head = await create(gateway)
        offset, kinds = 1, {}
        for kind, count in batches:
            for sequence in range(offset + 2, offset + 2 + count):
                kinds[sequence] = kind
            fill = {"log_output": LogOutput(data=b"x")} if kind == EVENT_KIND_LOG_OUTPUT else {}
            batch = [
                TaskEvent(offset=offset + n, interim_result=None if fill else Value(), **fill)
                for n in range(count)
            ]
            await gateway.log.append(head.id, batch)
            offset += count
        await gateway.log.append(head.id, [ended(offset)])
        last = offset + 2
        for after in range(last + 1):
            assert await sequences_of(gateway, after) == list(range(after + 1, last + 1))
            for kind in KINDS:
                wanted = [number for number in range(after + 1, last) if kinds.get(number) == kind]
                assert await sequences_of(gateway, after, [kind]) == [
                    *wanted,
                    *([last] if after < last else []),
                ]


async def test_many_watchers_of_a_job_share_its_pages():
    async with opened() as gateway:
        head = await create(gateway)
        before = gateway.database.pages

        async def watch() -> list[int]:
            request = WatchJobRequest(job_id="job")
            pages = [WatchJobResponse.FromString(page) async for page in gateway.watch.job(ALICE, request)]
            return [event.sequence for page in pages for event in page.events]

        watching = [asyncio.create_task(watch()) for _ in range(90)]
        for offset in range(1, 50):
            await gateway.log.append(head.id, results(offset, 1))
        await gateway.log.append(head.id, [ended(50)])
        assert await asyncio.gather(*watching) == [list(range(1, 53))] * 90
        # Each begins with a look at the job, and each event is a page at most, and one that is empty.
        assert gateway.database.pages - before < 90 + 3 * 52


async def test_account_does_not_read_over_what_others_write():
    async with opened() as gateway:
        quiet, loud = await create(gateway), await create(gateway, "loud", "bob")
        stream = gateway.watch.account(ALICE, WatchJobsRequest(after_cursor=-1))
        await anext(stream)
        coming = asyncio.ensure_future(anext(stream))
        rows = [(loud.id, sequence, EVENT_KIND_INTERIM_RESULT, b"") for sequence in range(3, 60_000)]
        await gateway.database.write(lambda connection: events.append(connection, rows))
        before = gateway.database.pages
        await gateway.log.append(quiet.id, results(1, 1))
        response = WatchJobsResponse.FromString(await coming)
        assert [event.sequence for event in response.entries[0].events] == [3]
        assert gateway.database.pages - before == 1
        await stream.aclose()


async def test_pages_of_an_account_are_those_of_its_jobs_in_order():
    async with opened() as gateway:
        heads = [await create(gateway, f"job{n}", "alice" if n % 2 else "bob") for n in range(6)]
        for offset in range(1, 5):
            await asyncio.gather(
                *(gateway.log.append(head.id, results(offset, 1, 200_000)) for head in heads)
            )
        seen = {}
        async with aclosing(gateway.watch.account(ALICE, WatchJobsRequest())) as stream:
            while sum(map(len, seen.values())) < 18:
                response = WatchJobsResponse.FromString(await anext(stream))
                assert response.ByteSize() < (1 << 20) + 1000
                for entry in response.entries:
                    seen.setdefault(entry.job_id, []).extend(event.sequence for event in entry.events)
        assert seen == {f"job{n}": [1, 2, 3, 4, 5, 6] for n in (1, 3, 5)}


async def test_stream_beyond_the_limit_of_its_account_is_refused_until_one_ends():
    async with opened(per_account=2, in_all=3) as gateway:
        await create(gateway), await create(gateway, "other", "bob")

        async def first_of(caller, job_id):
            stream = gateway.watch.job(caller, WatchJobRequest(job_id=job_id))
            await anext(stream)
            return stream

        streams = [await first_of(ALICE, "job") for _ in range(2)]
        with pytest.raises(ExhaustedError) as refused:
            await first_of(ALICE, "job")
        assert (refused.value.reason, refused.value.retry_seconds) == ("TOO_MANY_STREAMS", 1.0)
        streams.append(await first_of(BOB, "other"))
        with pytest.raises(ExhaustedError):
            await anext(gateway.watch.account(BOB, WatchJobsRequest()))
        await streams.pop(0).aclose()
        streams.append(await first_of(ALICE, "job"))
        for stream in streams:
            await stream.aclose()


async def test_watchers_that_take_nothing_hold_little_more_the_more_they_are():
    async with opened(1000, 1000) as gateway:
        head = await create(gateway)
        await gateway.log.append(head.id, results(1, 4000, 1000))
        sizes, streams = [], []
        for _ in range(500):
            stream = gateway.watch.job(ALICE, WatchJobRequest(job_id="job"))
            sizes.append(len(await anext(stream)))
            streams.append(stream)
        assert sizes[0] > SMALL
        assert sum(sizes) < (64 << 20) + 500 * SMALL * 1.1
        for stream in streams:
            await stream.aclose()
        stream = gateway.watch.job(ALICE, WatchJobRequest(job_id="job"))
        assert len(await anext(stream)) == sizes[0]
        await stream.aclose()


async def test_stream_of_a_job_whose_log_is_gone_ends_as_not_found():
    async with opened() as gateway:
        head = await create(gateway)
        stream = gateway.watch.job(ALICE, WatchJobRequest(job_id="job"))
        await anext(stream)
        coming = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM events WHERE job = ?", (head.id,))

        await gateway.database.write(delete)
        gateway.watch._bell.ring("job:job")
        with pytest.raises(NotFoundError) as gone:
            await coming
        assert gone.value.reason == "JOB_NOT_FOUND"


async def test_reads_of_calls_do_not_wait_for_pages():
    async with opened() as gateway:
        release = asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(connection: sqlite3.Connection) -> None:
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

        pages = [asyncio.ensure_future(gateway.database.read_page(slow)) for _ in range(50)]
        assert await gateway.database.read(lambda c: c.execute("SELECT 1").fetchone()) == (1,)
        assert not any(page.done() for page in pages)
        release.set()
        await asyncio.gather(*pages)
