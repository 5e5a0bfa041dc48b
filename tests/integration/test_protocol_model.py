"""The line between gateway and executor against a model: whatever breaks, logs are whole and true.

The gateway's link, log and database are real, and so are server and wire; what the
executor does is driven by hypothesis, which breaks, repeats, restarts and forgets.
"""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import grpc
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule
from integration.model_executor import ModelExecutor, result

from aerlock.v1.jobs_pb2 import (
    FAILURE_REASON_EXECUTOR_LOST,
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JobOptions,
    WatchJobRequest,
    WatchJobResponse,
)
from aerlock_executor.v1.executor_pb2 import TaskEnded, TaskEvent
from aerlock_executor.v1.executor_pb2_grpc import add_ExecutorServiceServicer_to_server
from aerlock_gateway.core import unwanted_tasks
from aerlock_gateway.core.access import Account, Role
from aerlock_gateway.core.bell import Bell
from aerlock_gateway.core.blob_files import BlobFiles
from aerlock_gateway.core.executor_link import ExecutorAddress, ExecutorLink
from aerlock_gateway.core.joblog import JobLog
from aerlock_gateway.core.limits import JobLimits
from aerlock_gateway.core.scheduler import Scheduler
from aerlock_gateway.core.states import TERMINAL
from aerlock_gateway.core.streams import Streams
from aerlock_gateway.core.watch import Watch
from aerlock_gateway.errors import UnavailableError
from aerlock_gateway.store import jobs, programs
from aerlock_gateway.store.database import Database

EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "6"))
ALICE = Account("alice", Role.AUTHOR)
SLOTS = 2
# Nothing here takes as long, and only an executor that is gone for good may end a job by it.
LEASE_SECONDS = 60.0
SOON = 60


class GatewayParts:
    """The parts of a gateway that have to do with jobs; `stop` is as sudden for them as SIGKILL."""

    def __init__(self, folder: Path) -> None:
        bell, scheduler = Bell(), Scheduler(JobLimits(1000, 1000, 1000))
        self.bell = bell
        self.database = Database(folder / "test.db", busy_seconds=0.05)
        self.files = BlobFiles(folder / "blobs")
        self.joblog = JobLog(self.database, bell, scheduler)
        self.watch = Watch(self.database, bell, Streams(1000, 1000))
        self.link = ExecutorLink(
            ExecutorAddress(f"unix:{folder}/executor.sock"),
            self.database,
            self.joblog,
            scheduler,
            self.files,
            LEASE_SECONDS,
            self._ignore,
        )

    async def _ignore(self, connected: bool) -> None:
        pass

    async def stop(self) -> None:
        self.bell.stop()
        await self.link.stop()
        self.files.close()
        await self.database.close()


class Protocol(RuleBasedStateMachine):
    """Jobs live through what hypothesis thinks of; then everything is well again, and all must end truly."""

    names = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="aerlock-model-"))
        self.loop = asyncio.new_event_loop()
        self.cancelled: set[str] = set()
        self.excused: set[str] = set()
        """Jobs to which something happened that may end them as EXECUTOR_LOST."""
        self.seen: dict[str, list] = {}
        self.watchers: dict[str, asyncio.Task] = {}
        self.server = None
        self.count = 0

    def do(self, work):
        return self.loop.run_until_complete(asyncio.wait_for(work, SOON))

    @initialize()
    def begin(self):
        self.do(self._begin())

    async def _begin(self):
        self.executor = ModelExecutor(SLOTS)
        self.gateway = GatewayParts(self.folder)
        revision = programs.Revision(b"", "{}", b"", b"", b"", "program", "")
        await self.gateway.database.write(lambda c: programs.insert(c, "program", "", 1, 1, revision))
        await self._serve()
        await self.gateway.link.start()

    async def _serve(self):
        self.server = grpc.aio.server()
        add_ExecutorServiceServicer_to_server(self.executor, self.server)
        self.server.add_insecure_port(f"unix:{self.folder}/executor.sock")
        await self.server.start()

    @rule(target=names, count=st.integers(1, 3))
    def submit(self, count):
        submitted = [f"job{self.count + number}" for number in range(count)]
        self.count += count
        for job_id in submitted:
            self.do(self._submit(job_id))
        return multiple(*submitted)

    async def _submit(self, job_id):
        options = JobOptions().SerializeToString()
        new = jobs.NewJob(job_id, "alice", "program", 1, "aer_simulator", options, (), b"")
        log = self.gateway.joblog
        await self._insist(lambda: self.gateway.database.write(lambda c: log.insert(c, new), log.publish))
        self.watchers[job_id] = self.loop.create_task(self._watch(job_id))

    async def _insist(self, attempt):
        while True:
            try:
                return await attempt()
            except sqlite3.OperationalError:
                await asyncio.sleep(0.05)

    async def _watch(self, job_id):
        """Keeps what one watcher gets that resumes after whatever ends its stream."""
        seen = self.seen.setdefault(job_id, [])
        while not seen or seen[-1].state_change.state not in TERMINAL:
            after = seen[-1].sequence if seen else 0
            request = WatchJobRequest(job_id=job_id, after_sequence=after)
            with suppress(UnavailableError, sqlite3.Error):
                async for page in self.gateway.watch.job(ALICE, request):
                    seen += WatchJobResponse.FromString(page).events
            await asyncio.sleep(0.01)

    @rule(job_id=names, count=st.integers(1, 8))
    def produce(self, job_id, count):
        for _ in range(count):
            self.count += 1
            self.executor.produce(job_id, result(self.count))
        self.let_run(0.005)

    @rule(job_id=consumes(names))
    def finish(self, job_id):
        self.executor.produce(job_id, TaskEvent(ended=TaskEnded(state=JOB_STATE_COMPLETED)))

    @rule(job_id=names)
    def cancel(self, job_id):
        self.cancelled.add(job_id)
        self.do(self._cancel(job_id))

    async def _cancel(self, job_id):
        gateway = self.gateway

        def work(connection):
            return gateway.joblog.cancel(connection, jobs.find(connection, job_id).id)

        def then(appended):
            gateway.joblog.publish(appended)
            gateway.link.cancel(job_id)

        await self._insist(lambda: gateway.database.write(work, then))

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.1]))
    def let_run(self, seconds):
        self.do(asyncio.sleep(seconds))

    @rule()
    def break_streams(self):
        self.executor.break_streams()

    @rule(repeats=st.booleans())
    def repeat(self, repeats):
        self.executor.repeats = repeats
        self.executor.break_streams()

    @rule(job_id=names)
    def leave_out_an_event(self, job_id):
        self.excused.add(job_id)
        self.executor.gaps.add(job_id)

    @rule(keeps_spools=st.booleans(), seconds=st.sampled_from([0.0, 0.1]))
    def restart_executor(self, keeps_spools, seconds):
        running = {task.task_id for task in self.executor.tasks.values() if task.end is None}
        self.excused |= running if keeps_spools else set(self.executor.tasks)
        self.do(self._restart_executor(keeps_spools, seconds))

    async def _restart_executor(self, keeps_spools, seconds):
        await self.server.stop(None)
        await asyncio.sleep(seconds)
        self.executor.restart(keeps_spools)
        await self._serve()

    @rule(job_id=names, kept=st.integers(0, 4))
    def cut_spool(self, job_id, kept):
        """As a power cut does, which the executor's files need not survive; its tasks do not."""
        if (task := self.executor.tasks.get(job_id)) and task.end is None:
            self.do(self.server.stop(None))
            del task.spool[kept:]
            self.excused |= set(self.executor.tasks)
            self.executor.restart(keeps_spools=True)
            self.do(self._serve())

    @rule()
    def restart_gateway(self):
        self.do(self._restart_gateway())

    async def _restart_gateway(self):
        await self._stop_gateway()
        self.gateway = GatewayParts(self.folder)
        await self.gateway.link.start()
        self.watchers = {job_id: self.loop.create_task(self._watch(job_id)) for job_id in self.watchers}

    async def _stop_gateway(self):
        for watcher in self.watchers.values():
            watcher.cancel()
        await asyncio.gather(*self.watchers.values(), return_exceptions=True)
        await self.gateway.stop()

    @rule(seconds=st.sampled_from([0.05, 0.2]))
    def lock_database(self, seconds):
        with closing(sqlite3.connect(self.folder / "test.db", isolation_level=None)) as other:
            with suppress(sqlite3.OperationalError):
                other.execute("BEGIN IMMEDIATE")
            self.do(asyncio.sleep(seconds))

    @rule(seconds=st.sampled_from([0.0, 0.05]))
    def fill_disk(self, seconds):
        """The database may not grow for a while; SQLite says so as it does where the disk is full."""
        self.do(self._limit_pages(1))  # which means: not more than there are
        self.do(asyncio.sleep(seconds))
        self.do(self._limit_pages(1 << 30))

    async def _limit_pages(self, count):
        database = self.gateway.database

        def limit(connection):
            connection.execute(f"PRAGMA max_page_count = {count}").fetchall()

        await self._insist(lambda: database.write(limit))

    def teardown(self):
        try:
            if self.server is not None:
                self.do(self._end())
        finally:
            self.loop.close()
            shutil.rmtree(self.folder)

    async def _end(self):
        try:
            await self._come_to_rest()
            for job_id in self.watchers:
                await self._check(job_id)
        finally:
            await self._stop_gateway()
            await self.server.stop(None)

    async def _come_to_rest(self):
        """Every program ends, every watcher has the end, and the executor has nothing left."""
        self.executor.repeats = False
        while not all(watcher.done() for watcher in self.watchers.values()) or self.executor.tasks:
            for task in list(self.executor.tasks.values()):
                self.executor.produce(task.task_id, TaskEvent(ended=TaskEnded(state=JOB_STATE_COMPLETED)))
            await asyncio.sleep(0.02)

    async def _check(self, job_id):
        await self.watchers[job_id]
        request = WatchJobRequest(job_id=job_id)
        pages = [page async for page in self.gateway.watch.job(ALICE, request)]
        log = [event for page in pages for event in WatchJobResponse.FromString(page).events]
        assert self.seen[job_id] == log
        assert [event.sequence for event in log] == list(range(1, len(log) + 1))
        states = [event.state_change.state for event in log if event.HasField("state_change")]
        assert [state in TERMINAL for state in states] == [False] * (len(states) - 1) + [True]
        assert log[-1].state_change.state == states[-1]
        assert states[:2] in ([JOB_STATE_QUEUED, JOB_STATE_RUNNING], [JOB_STATE_QUEUED, JOB_STATE_CANCELLED])
        results = [event.interim_result.int_value for event in log if event.HasField("interim_result")]
        self._check_truth(job_id, log[-1].state_change, results)
        row = await self.gateway.database.read(lambda connection: jobs.find(connection, job_id))
        assert (row.state, row.last_sequence) == (states[-1], len(log))

    def _check_truth(self, job_id, end, results):
        """What the log says is what one run of the task did, and all of it where that run was whole."""
        runs = self.executor.runs.get(job_id, [])
        if results:
            assert any(results == run.results[: len(results)] for run in runs) or job_id in self.excused
        if end.state == JOB_STATE_COMPLETED:
            assert any((results, end.state) == (run.results, run.end.state) for run in runs if run.end)
        elif end.state == JOB_STATE_CANCELLED:
            assert job_id in self.cancelled
        else:
            assert (end.state, end.failure.reason) == (JOB_STATE_FAILED, FAILURE_REASON_EXECUTOR_LOST)
            assert job_id in self.excused


@pytest.fixture(autouse=True)
def _sweeps_often(monkeypatch):
    monkeypatch.setattr(unwanted_tasks, "_IDLE_SECONDS", 0.2)


def test_spool_that_lost_what_the_log_has_ends_the_job_at_once():
    model = Protocol()
    model.begin()
    job_id = model.submit(count=1).values[0]
    while not model.executor.tasks:
        model.let_run(0.01)
    model.produce(job_id, 2)
    while len(model.seen[job_id]) < 4:
        model.let_run(0.01)
    # With the end that the executor then writes it is as long as before.
    model.cut_spool(job_id, 2)
    model.teardown()
    assert "not consistent" in model.seen[job_id][-1].state_change.failure.message


Protocol.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestProtocol = Protocol.TestCase
