"""The line to the executor while the database does not work: nothing is given up, nothing is lost."""

import asyncio
import logging
import signal
import sqlite3
from contextlib import asynccontextmanager, closing
from functools import partial
from types import SimpleNamespace

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from aerlock.v1 import programs_pb2
from aerlock.v1.jobs_pb2 import (
    FAILURE_REASON_EXECUTOR_LOST,
    JOB_STATE_CANCELLED,
    JOB_STATE_FAILED,
    JOB_STATE_RUNNING,
    RunProgramRequest,
    StateChange,
    WatchJobRequest,
    WatchJobResponse,
)
from aerlock_gateway.core.access import Account, Role
from aerlock_gateway.core.bell import Bell
from aerlock_gateway.core.blob_files import BlobFiles
from aerlock_gateway.core.executor_link import ExecutorAddress, ExecutorLink
from aerlock_gateway.core.joblog import JobLog
from aerlock_gateway.core.limits import JobLimits
from aerlock_gateway.core.scheduler import Placement, Scheduler
from aerlock_gateway.core.streams import Streams
from aerlock_gateway.core.watch import Watch
from aerlock_gateway.store import jobs
from aerlock_gateway.store.database import Database

ALICE = Account("alice", Role.AUTHOR)
LIMITS = JobLimits(1000, 100, 100)

SOON = 30


@pytest.fixture
def refusals():
    """An event that is set when the link says that it tries again."""
    told = asyncio.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "trying again" in record.getMessage():
                told.set()

    logger, listener = logging.getLogger("aerlock_gateway"), Listener()
    logger.addHandler(listener)
    yield told
    logger.removeHandler(listener)


@pytest.fixture
def losses():
    """A queue of the levels at which the link says that the executor is lost."""
    levels = asyncio.Queue()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "lost the executor" in record.getMessage():
                levels.put_nowait(record.levelno)

    logger, listener = logging.getLogger("aerlock_gateway"), Listener()
    before = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    yield levels
    logger.setLevel(before)
    logger.removeHandler(listener)


@asynccontextmanager
async def opened(folder, socket):
    database = Database(folder / "test.db", busy_seconds=0.05)
    bell, scheduler, connected = Bell(), Scheduler(LIMITS), asyncio.Event()
    files = BlobFiles(folder / "blobs")
    joblog = JobLog(database, bell, scheduler)

    async def on_connection(yes: bool) -> None:
        if yes:
            connected.set()

    def make_link() -> ExecutorLink:
        return ExecutorLink(
            ExecutorAddress(f"unix:{socket}"), database, joblog, scheduler, files, 0.1, on_connection
        )

    try:
        yield SimpleNamespace(
            database=database,
            joblog=joblog,
            scheduler=scheduler,
            watch=Watch(database, bell, Streams(100, 100)),
            connected=connected,
            make_link=make_link,
        )
    finally:
        files.close()
        await database.close()


@asynccontextmanager
async def locked(folder):
    """Has another process's part: no write gets through until the end."""
    with closing(sqlite3.connect(folder / "test.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_job_that_starts_while_the_gateway_stops_is_left_to_the_next_one(tmp_path):
    async with opened(tmp_path, tmp_path / "nobody.sock") as gateway:
        gateway.scheduler.placement = Placement(1, "full")
        link = gateway.make_link()
        heads = []
        for job_id in ("first", "second"):
            new = jobs.NewJob(job_id, "alice", "gone", 1, "aer_simulator", b"", (), b"")
            appended = await gateway.database.write(partial(gateway.joblog.insert, job=new))
            heads += appended.heads
        await link.start()
        await link.stop()
        # What was being committed when the link was stopped.
        await gateway.joblog.end(heads[0].id, StateChange(state=JOB_STATE_CANCELLED))
        following = [task for task in asyncio.all_tasks() if task.get_name().startswith("job ")]
        await asyncio.gather(*following)
        second = await gateway.database.read(partial(jobs.find, job_id="second"))
        assert second.state == JOB_STATE_RUNNING


async def test_link_connects_when_the_database_is_free_again(pair, tmp_path, refusals):
    pair.executor.start("--slots", "1")
    async with opened(tmp_path, pair.executor.layout.executor_socket) as gateway:
        link = gateway.make_link()
        async with locked(tmp_path):
            await link.start()
            await asyncio.wait_for(refusals.wait(), SOON)
        await asyncio.wait_for(gateway.connected.wait(), SOON)
        assert gateway.scheduler.placement.slots == 1
        await link.stop()


async def test_job_that_is_lost_while_the_database_is_locked_ends_and_frees_its_slot(tmp_path, refusals):
    async with opened(tmp_path, tmp_path / "nobody.sock") as gateway:
        gateway.scheduler.placement = Placement(1, "full")
        new = jobs.NewJob("job", "alice", "gone", 1, "aer_simulator", b"", "[]", b"")
        await gateway.database.write(lambda c: gateway.joblog.insert(c, new))
        link = gateway.make_link()
        async with locked(tmp_path):
            await link.start()
            await asyncio.wait_for(refusals.wait(), SOON)
        async with asyncio.timeout(SOON):
            stream = gateway.watch.job(ALICE, WatchJobRequest(job_id="job"))
            events = [event async for page in stream for event in WatchJobResponse.FromString(page).events]
        last = events[-1].state_change
        assert (last.state, last.failure.reason) == (JOB_STATE_FAILED, FAILURE_REASON_EXECUTOR_LOST)
        await link.stop()


async def test_executor_that_is_stopped_without_jobs_is_no_warning(pair, tmp_path, losses):
    pair.executor.start()
    async with opened(tmp_path, pair.executor.layout.executor_socket) as gateway:
        link = gateway.make_link()
        await link.start()
        await asyncio.wait_for(gateway.connected.wait(), SOON)
        await asyncio.to_thread(pair.executor.stop)
        assert await asyncio.wait_for(losses.get(), SOON) == logging.INFO
        await link.stop()


def test_executor_that_is_lost_with_a_job_is_a_warning(pair, make_program):
    pair.executor.start()
    pair.gateway.start("--executor-lease", "0.5")
    source = b"import time\ndef main(backend, user_messenger):\n    time.sleep(600)\n"
    with pair.gateway.client(pair.token) as client:
        upload = programs_pb2.UploadProgramRequest(program=make_program(source))
        program = client.programs.UploadProgram(upload, metadata=client.metadata).program
        run = RunProgramRequest(program_id=program.program_id, backend_name="aer_simulator")
        health = health_pb2_grpc.HealthStub(client.channel)
        watched = health.Watch(health_pb2.HealthCheckRequest(service="aerlock.v1.JobService"))
        next(one for one in watched if one.status == health_pb2.HealthCheckResponse.SERVING)
        job = client.jobs.RunProgram(run, metadata=client.metadata).job
        pair.executor.stop(signal.SIGKILL)
        stream = client.jobs.WatchJob(WatchJobRequest(job_id=job.job_id), metadata=client.metadata)
        last = [event for response in stream for event in response.events][-1]
    assert last.state_change.failure.reason == FAILURE_REASON_EXECUTOR_LOST
    assert "WARNING aerlock_gateway.core.executor_link: lost the executor" in pair.gateway.stderr
