"""Retention and deletion, on a real database: which jobs go, that all of each goes, and in small steps."""

import asyncio
import sqlite3
from contextlib import closing
from itertools import pairwise

import pytest
from sqlite_utils import Database as SqliteUtils
from unit.test_joblog import RUNNING, create, ended, log_of, opened, pages_of, task_events

from aerlock.v1.jobs_pb2 import StateChange, WatchJobRequest
from aerlock.v1.values_pb2 import Value
from aerlock_executor.v1.executor_pb2 import TaskEvent
from aerlock_gateway.core import clock
from aerlock_gateway.core.retention import Retention, RetentionLimits
from aerlock_gateway.errors import NotFoundError
from aerlock_gateway.store import blobs, deletion, jobs, schema

FAILED = 5
TABLES = ("events", "job_inputs", "job_tags", "job_blobs", "jobs")


async def finish(gateway, job_id: str, events: int = 1, end_time: int | None = None) -> jobs.Head:
    """A job that has run and ended, at a time of its own where one is given."""
    head = await create(gateway, job_id)
    await gateway.log.append(head.id, [*task_events(1, events), ended(events + 1)])
    if end_time is not None:
        await gateway.database.write(
            lambda c: c.execute("UPDATE jobs SET end_time = ? WHERE id = ?", (end_time, head.id))
        )
    return head


async def kept(gateway) -> list[str]:
    sql = "SELECT job_id FROM jobs WHERE purge_time IS NULL ORDER BY id"
    return [job_id for (job_id,) in await gateway.database.read(lambda c: c.execute(sql).fetchall())]


async def counts(gateway) -> list[int]:
    def read(connection: sqlite3.Connection) -> list[int]:
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES]

    return await gateway.database.read(read)


async def hide(gateway, job: int, purge_time: int = 0) -> None:
    await gateway.database.write(lambda connection: deletion.hide(connection, job, purge_time))


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (RetentionLimits(), ["old", "middle", "new", "running"]),
        (RetentionLimits(days=3), ["middle", "new", "running"]),
        (RetentionLimits(days=0.5), ["running"]),
        (RetentionLimits(count=2), ["middle", "new", "running"]),
        (RetentionLimits(count=0), ["running"]),
        (RetentionLimits(count=3, days=1.5), ["new", "running"]),
        (RetentionLimits(size=100_000_000), ["old", "middle", "new", "running"]),
        (RetentionLimits(size=1500), ["new", "running"]),
        (RetentionLimits(size=1), ["running"]),
    ],
)
async def test_oldest_ended_jobs_beyond_the_limits_are_deleted(limits, left):
    async with opened(slots=10) as gateway:
        now = clock.now()
        # Not in the order in which they were submitted.
        await finish(gateway, "old", end_time=now - 4 * clock.DAY)
        await finish(gateway, "middle", end_time=now - 2 * clock.DAY)
        await finish(gateway, "new", end_time=now - clock.DAY)
        await create(gateway, "running")
        await Retention(gateway.database, limits).delete_old()
        assert await kept(gateway) == left


async def test_jobs_that_are_deleted_meanwhile_spare_others():
    async with opened(slots=300) as gateway:
        heads = [await finish(gateway, f"job{number:03}", end_time=number) for number in range(250)]
        retention = Retention(gateway.database, RetentionLimits(count=200))
        before = await gateway.database.read(deletion.count_kept)
        for head in heads[-50:]:
            await hide(gateway, head.id, clock.now() + clock.DAY)
        # What was counted does not hold any more: nothing is deleted, and it is counted again.
        assert await gateway.database.write(lambda c: retention._hide_oldest(c, before))
        await retention.delete_old()
        assert len(await kept(gateway)) == 200


async def test_all_of_a_deleted_job_goes_when_its_time_has_come():
    async with opened() as gateway:
        head = await finish(gateway, "job", events=600)
        digest = b"x" * 32

        def refer(connection: sqlite3.Connection) -> None:
            blobs.insert(connection, digest, 10, 0)
            blobs.refer(connection, "alice", head.id, [digest], blobs.INPUT)
            jobs.set_tags(connection, head.id, ["a", "b"])

        await gateway.database.write(refer)
        retention = Retention(gateway.database, RetentionLimits())
        await hide(gateway, head.id, clock.now() + clock.DAY)
        visible = await gateway.database.read(lambda c: blobs.visible_size(c, "alice", digest))
        assert visible is None
        await retention.purge()
        assert (await counts(gateway))[-1] == 1
        await hide(gateway, head.id)
        await retention.purge()
        assert await counts(gateway) == [0] * len(TABLES)
        assert await gateway.database.read(blobs.unreferred) == [digest]
        assert (await gateway.database.read(lambda c: c.execute("PRAGMA foreign_key_check").fetchall())) == []


async def test_deleted_job_that_still_runs_stays_until_a_minute_after_its_end():
    async with opened() as gateway:
        head = await create(gateway)
        retention = Retention(gateway.database, RetentionLimits(count=0))
        await hide(gateway, head.id)
        await retention.delete_old()
        await retention.purge()
        assert (await counts(gateway))[-1] == 1
        await gateway.log.end(head.id, StateChange(state=FAILED))
        await retention.purge()
        row = await gateway.database.read(lambda c: jobs.find(c, "job", with_deleted=True))
        assert row.state == FAILED
        (time,) = await gateway.database.read(lambda c: c.execute("SELECT purge_time FROM jobs").fetchone())
        assert 0 < time - clock.now() <= 60 * clock.SECOND
        await hide(gateway, head.id)
        await retention.purge()
        assert (await counts(gateway))[-1] == 0


async def test_stream_whose_log_goes_meanwhile_says_so_and_skips_nothing():
    async with opened() as gateway:
        head = await create(gateway)
        for offset in range(1, 4):
            value = Value(bytes_value=bytes(1_000_000))
            await gateway.log.append(head.id, [TaskEvent(offset=offset, interim_result=value)])
        await gateway.log.append(head.id, [ended(4)])
        pages = pages_of(gateway, WatchJobRequest(job_id="job"))
        first = await anext(pages)
        await hide(gateway, head.id)
        second = await anext(pages)
        assert second.events[0].sequence == first.scanned_sequence + 1
        # One step: the end of the log is gone, and its beginning is not.
        await gateway.database.write(lambda c: deletion.purge_some(c, clock.now()))
        with pytest.raises(NotFoundError):
            await asyncio.wait_for(anext(pages), 10)
        with pytest.raises(NotFoundError):
            await log_of(gateway)


async def test_steps_are_small_and_give_the_room_back():
    async with opened() as gateway:
        head = await create(gateway)
        for first in range(0, 8_000, 1_000):
            await gateway.log.append(head.id, task_events(first + 1, 1_000))
        for offset in range(8_001, 8_041):
            value = Value(bytes_value=bytes(900_000))
            await gateway.log.append(head.id, [TaskEvent(offset=offset, interim_result=value)])
        await gateway.log.append(head.id, [ended(8_041)])
        await hide(gateway, head.id)
        sizes = [await counts(gateway)]
        stored = [await stored_bytes(gateway)]
        while await gateway.database.write(lambda c: deletion.purge_some(c, clock.now())):
            sizes.append(await counts(gateway))
            stored.append(await stored_bytes(gateway))
        steps = [before - after for (before, *_), (after, *_) in pairwise(sizes)]
        assert max(steps) <= 256
        assert max(before - after for before, after in pairwise(stored)) < 2_000_000
        pages = await page_count(gateway)
        while await gateway.database.write(lambda c: deletion.give_back(c, 10)):
            before, pages = pages, await page_count(gateway)
            assert 0 < before - pages <= 256 + 2  # and those that said where these are
        assert await page_count(gateway) < 200
        await gateway.database.checkpoint()
        assert gateway.database._path.stat().st_size == await page_count(gateway) * 4096


async def stored_bytes(gateway) -> int:
    sql = "SELECT coalesce(sum(length(encoded)), 0) FROM events"
    return (await gateway.database.read(lambda c: c.execute(sql).fetchone()))[0]


async def page_count(gateway) -> int:
    return (await gateway.database.read(lambda c: c.execute("PRAGMA page_count").fetchone()))[0]


async def test_bytes_of_a_job_are_those_that_it_takes():
    async with opened() as gateway:
        head = await finish(gateway, "job", events=100)

        def read(connection: sqlite3.Connection) -> tuple[int, int]:
            (counted,) = connection.execute("SELECT stored_bytes FROM jobs").fetchone()
            (real,) = connection.execute("SELECT sum(length(encoded)) FROM events").fetchone()
            return counted, real

        counted, real = await gateway.database.read(read)
        assert real <= counted <= real + 1024

        def refer(connection: sqlite3.Connection) -> None:
            blobs.insert(connection, b"x" * 32, 5_000_000, 0)
            for _ in range(2):
                blobs.refer(connection, "alice", head.id, [b"x" * 32], blobs.RESULT)

        await gateway.database.write(refer)
        assert (await gateway.database.read(read))[0] == counted + 5_000_000


def test_database_from_before_keeps_its_jobs_their_tags_and_their_order():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        schema._migrations.apply(SqliteUtils(connection), stop_before="job_lists")
        for number, (state, tags) in enumerate([(4, '["a","b","a"]'), (2, "[]"), (1, '["b"]'), (1, "[]")], 1):
            connection.execute(
                "INSERT INTO jobs VALUES (?, ?, 'ada', 'p', 1, 'b', ?, 1, 0, '', ?, NULL, NULL, NULL, x'',"
                " ?, NULL, NULL)",
                (number, f"job{number}", state, 10 * number, tags),
            )
            connection.execute("INSERT INTO job_inputs VALUES (?, x'0102')", (number,))
            connection.execute(
                "INSERT INTO events (job, sequence, kind, encoded) VALUES (?, 1, 1, x'010203')", (number,)
            )
        schema.migrate(connection)
        found = connection.execute("SELECT turn, stored_bytes, purge_time FROM jobs ORDER BY id").fetchall()
        assert found == [(0, 5, None), (2, 5, None), (3, 5, None), (4, 5, None)]
        tags = connection.execute("SELECT job, tag, owner, create_time FROM job_tags").fetchall()
        assert tags == [(1, "a", "ada", 10), (1, "b", "ada", 10), (3, "b", "ada", 30)]
        assert jobs.find(connection, "job2").state == RUNNING
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
