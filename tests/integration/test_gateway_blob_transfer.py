"""Large values between gateway and executor; a scripted executor does what a real one rarely does."""

import asyncio
import hashlib
import os
import stat
from contextlib import asynccontextmanager
from types import SimpleNamespace

import grpc
import pytest

from aerlock.v1.jobs_pb2 import (
    FAILURE_REASON_EXECUTOR_LOST,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JobOptions,
    WatchJobRequest,
    WatchJobResponse,
)
from aerlock.v1.values_pb2 import BlobRef, Value
from aerlock_executor.v1 import executor_pb2, executor_pb2_grpc
from aerlock_executor.v1.executor_pb2 import TaskEnded, TaskEvent, TaskStarted
from aerlock_gateway.core.access import Account, Role
from aerlock_gateway.core.bell import Bell
from aerlock_gateway.core.blob_files import BlobFiles
from aerlock_gateway.core.blob_transfer import BlobTransfer
from aerlock_gateway.core.blobs import digest
from aerlock_gateway.core.executor_link import ExecutorAddress, ExecutorLink
from aerlock_gateway.core.joblog import JobLog
from aerlock_gateway.core.limits import JobLimits
from aerlock_gateway.core.scheduler import Scheduler
from aerlock_gateway.core.streams import Streams
from aerlock_gateway.core.watch import Watch
from aerlock_gateway.store import blobs, jobs, programs
from aerlock_gateway.store.database import Database

# Its methods are named as in the proto.
# ruff: noqa: N802

ALICE = Account("alice", Role.AUTHOR)
LIMITS = JobLimits(1000, 100, 100)

MIB = 1 << 20
SOON = 30
NOT_FOUND, FAILED_PRECONDITION = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION


def ref_of(data):
    return BlobRef(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def task_of(*results):
    """The events of a task with these results, each a blob."""
    outputs = [TaskEvent(interim_result=Value(blob_value=blob), blobs=[blob]) for blob in results]
    events = [
        TaskEvent(started=TaskStarted()),
        *outputs,
        TaskEvent(ended=TaskEnded(state=JOB_STATE_COMPLETED)),
    ]
    for offset, event in enumerate(events, 1):
        event.offset = offset
    return events


class ScriptedExecutor(executor_pb2_grpc.ExecutorServiceServicer):
    """Serves its ``tasks`` and ``blobs``; what it is asked for is in ``calls``."""

    def __init__(self):
        self.tasks, self.blobs, self.calls = {}, {}, []
        self.precondition_failures = 0
        self.has_room = True
        # How ReadBlob goes wrong: called with the digest and what it has sent so far.
        self.disturb = self.nothing
        self.changed = asyncio.Event()

    @staticmethod
    async def nothing(*arguments):
        pass

    def called(self, name):
        return [arguments for call, *arguments in self.calls if call == name]

    async def until_called(self, name):
        while not self.called(name):
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), SOON)

    def note(self, *call):
        self.calls.append(call)
        self.changed.set()

    async def GetExecutorInfo(self, request, context):
        return executor_pb2.GetExecutorInfoResponse(slots=2, isolation_tier="full", codec_version=7)

    async def ListTasks(self, request, context):
        started = {arguments[0] for call, *arguments in self.calls if call in ("StartTask", "AttachTask")}
        tasks = [
            executor_pb2.TaskSummary(task_id=task_id, last_offset=len(self.tasks[task_id]), ended=True)
            for task_id in started
        ]
        return executor_pb2.ListTasksResponse(tasks=tasks)

    async def StartTask(self, request, context):
        self.note("StartTask", request.task_id)
        if self.precondition_failures:
            self.precondition_failures -= 1
            self.blobs.clear()
            await context.abort(FAILED_PRECONDITION, "a blob is not here")
        for event in self.tasks[request.task_id]:
            yield executor_pb2.StartTaskResponse(events=[event])

    async def AttachTask(self, request, context):
        self.note("AttachTask", request.task_id, request.after_offset)
        for event in self.tasks[request.task_id][request.after_offset :]:
            yield executor_pb2.AttachTaskResponse(events=[event])

    async def AckTask(self, request, context):
        self.note("AckTask", request.task_id, request.offset)
        return executor_pb2.AckTaskResponse()

    async def CancelTask(self, request, context):
        self.note("CancelTask", request.task_id)
        return executor_pb2.CancelTaskResponse()

    async def FindMissingBlobs(self, request, context):
        self.note("FindMissingBlobs")
        missing = [blob for blob in request.blobs if blob.sha256 not in self.blobs]
        return executor_pb2.FindMissingBlobsResponse(missing=missing)

    async def WriteBlob(self, request_iterator, context):
        first = await anext(request_iterator)
        self.note("WriteBlob", first.blob.sha256)
        if not self.has_room:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no room")
        chunks = [request.data async for request in request_iterator]
        assert all(len(chunk) <= MIB for chunk in chunks)
        self.blobs[first.blob.sha256] = b"".join(chunks)
        return executor_pb2.WriteBlobResponse()

    async def ReadBlob(self, request, context):
        self.note("ReadBlob", request.sha256, request.offset)
        if request.sha256 not in self.blobs:
            await context.abort(NOT_FOUND, "no such blob")
        data = self.blobs[request.sha256]
        for start in range(request.offset, len(data), MIB):
            await self.disturb(context, start)
            yield executor_pb2.ReadBlobResponse(data=data[start : start + MIB])


@asynccontextmanager
async def served(folder):
    executor, server = ScriptedExecutor(), grpc.aio.server()
    executor_pb2_grpc.add_ExecutorServiceServicer_to_server(executor, server)
    server.add_insecure_port(f"unix:{folder}/executor.sock")
    await server.start()
    try:
        yield executor
    finally:
        await server.stop(None)


@asynccontextmanager
async def linked(folder, lease_seconds=SOON):
    """The gateway's parts around a link to the executor in ``folder``; leaving it is the gateway's end."""
    database, files = Database(folder / "test.db"), BlobFiles(folder / "blobs")
    bell, scheduler = Bell(), Scheduler(LIMITS)
    joblog = JobLog(database, bell, scheduler)

    async def on_connection(yes):
        pass

    link = ExecutorLink(
        ExecutorAddress(f"unix:{folder}/executor.sock"),
        database,
        joblog,
        scheduler,
        files,
        lease_seconds,
        on_connection,
    )
    await link.start()
    try:
        yield SimpleNamespace(
            database=database, joblog=joblog, files=files, watch=Watch(database, bell, Streams(100, 100))
        )
    finally:
        await link.stop()
        files.close()
        await database.close()


async def run(gateway, job_id, *inputs):
    """Makes a job whose inputs are blobs that lie in the gateway."""

    def work(connection):
        if programs.find(connection, "program") is None:
            revision = programs.Revision(b"", "{}", b"", b"", b"", "program", "")
            programs.insert(connection, "program", "", 1, 1, revision)
        options = JobOptions().SerializeToString()
        new = jobs.NewJob(job_id, "alice", "program", 1, "aer_simulator", options, "[]", b"")
        appended = gateway.joblog.insert(connection, new)
        for blob in inputs:
            blobs.insert(connection, digest(blob), blob.size_bytes, 1)
        blobs.refer(connection, "alice", appended.heads[0].id, map(digest, inputs), blobs.INPUT)
        return appended

    await gateway.database.write(work, gateway.joblog.publish)


async def events_of(gateway, job_id):
    async with asyncio.timeout(SOON):
        stream = gateway.watch.job(ALICE, WatchJobRequest(job_id=job_id))
        return [event async for page in stream for event in WatchJobResponse.FromString(page).events]


def keep(gateway, data):
    with gateway.files.directory.write(ref_of(data)) as writer:
        writer.write(data)
        writer.finish()
    return ref_of(data)


def content(gateway, blob):
    return gateway.files.directory.path(blob.sha256).read_bytes()


def failure_of(events):
    last = events[-1].state_change
    assert (last.state, last.failure.reason) == (JOB_STATE_FAILED, FAILURE_REASON_EXECUTOR_LOST)
    return last.failure.message


async def test_inputs_that_the_executor_lacks_are_written_ahead_of_the_task(unprivileged_folder):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        known, large = os.urandom(1000), os.urandom(3 * MIB + 1)
        refs = [keep(gateway, data) for data in (known, large)]
        executor.blobs[refs[0].sha256] = known
        executor.tasks["job"] = task_of()
        await run(gateway, "job", *refs)
        assert (await events_of(gateway, "job"))[-1].state_change.state == JOB_STATE_COMPLETED
        names = [call for call, *_ in executor.calls]
        assert names[:3] == ["FindMissingBlobs", "WriteBlob", "StartTask"]
        assert executor.blobs[refs[1].sha256] == large


async def test_job_without_blobs_asks_for_none(unprivileged_folder):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        executor.tasks["job"] = task_of()
        await run(gateway, "job")
        await events_of(gateway, "job")
        assert executor.calls[0] == ("StartTask", "job")


async def test_inputs_that_the_executor_has_dropped_meanwhile_are_written_again(unprivileged_folder):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        blob = keep(gateway, os.urandom(1000))
        executor.precondition_failures = 2
        executor.tasks["job"] = task_of()
        await run(gateway, "job", blob)
        assert (await events_of(gateway, "job"))[-1].state_change.state == JOB_STATE_COMPLETED
        assert len(executor.called("WriteBlob")) == 3


@pytest.mark.parametrize("fault", ["room", "precondition"])
async def test_executor_that_cannot_take_the_inputs_loses_the_job_after_the_lease(unprivileged_folder, fault):
    async with (
        served(unprivileged_folder) as executor,
        linked(unprivileged_folder, lease_seconds=0.3) as gateway,
    ):
        executor.has_room = fault != "room"
        executor.precondition_failures = 10_000
        await run(gateway, "job", keep(gateway, os.urandom(1000)))
        message = failure_of(await events_of(gateway, "job"))
        assert ("had no room" if fault == "room" else "could not keep") in message


async def test_input_that_is_gone_from_the_gateway_loses_the_job(unprivileged_folder):
    async with served(unprivileged_folder), linked(unprivileged_folder) as gateway:
        await run(gateway, "job", ref_of(b"gone"))
        assert "gone from the gateway's disk" in failure_of(await events_of(gateway, "job"))


async def test_results_are_here_before_their_events_and_the_events_are_plain(unprivileged_folder):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        results = [os.urandom(3 * MIB + 1), os.urandom(1000)]
        refs = [ref_of(data) for data in results]
        executor.blobs.update((blob.sha256, data) for blob, data in zip(refs, results, strict=True))
        executor.tasks["job"] = task_of(*refs, refs[0])
        await run(gateway, "job")
        seen = []
        async for page in gateway.watch.job(ALICE, WatchJobRequest(job_id="job")):
            for event in WatchJobResponse.FromString(page).events:
                if event.HasField("interim_result"):
                    seen.append(event.interim_result.blob_value)
                    assert gateway.files.directory.has(seen[-1])
            # Field 100, which JobEvent does not have.
            assert b"\xa2\x06" not in page
        assert seen == [*refs, refs[0]]
        assert [content(gateway, blob) for blob in refs] == results
        assert len(executor.called("ReadBlob")) == 2
        size = await gateway.database.read(lambda c: blobs.visible_size(c, "alice", digest(refs[0])))
        assert size == refs[0].size_bytes


async def test_blob_of_many_results_is_looked_for_once(unprivileged_folder, monkeypatch):
    looked_for = []
    fetch = BlobTransfer.fetch

    async def noting(self, job_id, refs, progress):
        looked_for.extend(ref.sha256 for ref in refs)
        await fetch(self, job_id, refs, progress)

    monkeypatch.setattr(BlobTransfer, "fetch", noting)
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        data = os.urandom(1000)
        executor.blobs[ref_of(data).sha256] = data
        executor.tasks["job"] = task_of(*[ref_of(data)] * 20)
        await run(gateway, "job")
        async for _ in gateway.watch.job(ALICE, WatchJobRequest(job_id="job")):
            pass
        assert looked_for == [ref_of(data).sha256]


async def test_result_whose_stream_breaks_is_read_on(unprivileged_folder):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        data = os.urandom(4 * MIB)
        executor.blobs[ref_of(data).sha256] = data
        executor.tasks["job"] = task_of(ref_of(data))

        async def break_once(context, start):
            if start == 2 * MIB:
                executor.disturb = executor.nothing
                await context.abort(grpc.StatusCode.UNAVAILABLE, "broken")

        executor.disturb = break_once
        await run(gateway, "job")
        assert (await events_of(gateway, "job"))[-1].state_change.state == JOB_STATE_COMPLETED
        assert [offset for _, offset in executor.called("ReadBlob")] == [0, 2 * MIB]
        assert content(gateway, ref_of(data)) == data


async def test_result_is_read_on_by_the_next_gateway(unprivileged_folder):
    async with served(unprivileged_folder) as executor:
        data, halfway = os.urandom(4 * MIB), asyncio.Event()
        executor.blobs[ref_of(data).sha256] = data
        executor.tasks["job"] = task_of(ref_of(data))

        async def stop_halfway(context, start):
            if start == 2 * MIB:
                halfway.set()
                await asyncio.Event().wait()

        executor.disturb = stop_halfway
        async with linked(unprivileged_folder) as gateway:
            await run(gateway, "job")
            await asyncio.wait_for(halfway.wait(), SOON)
            # A file has no event to wait for.
            while gateway.files.directory.written_bytes(ref_of(data), "job job") < 2 * MIB:  # noqa: ASYNC110
                await asyncio.sleep(0)
        executor.disturb = executor.nothing
        async with linked(unprivileged_folder) as gateway:
            events = await events_of(gateway, "job")
            assert [event.sequence for event in events] == [1, 2, 3, 4]
            assert [offset for _, offset in executor.called("ReadBlob")] == [0, 2 * MIB]
            assert content(gateway, ref_of(data)) == data


async def test_what_an_earlier_gateway_left_torn_is_read_again(unprivileged_folder):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        data = os.urandom(4 * MIB)
        executor.blobs[ref_of(data).sha256] = data
        executor.tasks["job"] = task_of(ref_of(data))
        with gateway.files.directory.write(ref_of(data), owner="job job") as writer:
            writer.write(bytes(MIB))
        await run(gateway, "job")
        assert (await events_of(gateway, "job"))[-1].state_change.state == JOB_STATE_COMPLETED
        assert content(gateway, ref_of(data)) == data


@pytest.mark.parametrize("fault", ["lost", "damaged", "short", "long", "nonsense"])
async def test_result_that_cannot_be_had_loses_the_job_and_has_its_task_forgotten(unprivileged_folder, fault):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        data = os.urandom(2 * MIB)
        blob = ref_of(data)
        match fault:
            case "damaged":
                executor.blobs[blob.sha256] = bytes(2 * MIB)
            case "short":
                executor.blobs[blob.sha256] = data[:-1]
            case "long":
                executor.blobs[blob.sha256] = data + b"x"
            case "nonsense":
                blob = BlobRef(sha256="../../escaped", size_bytes=2 * MIB)
                executor.blobs[blob.sha256] = data
        executor.tasks["job"] = task_of(blob)
        await run(gateway, "job")
        events = await events_of(gateway, "job")
        words = {"lost": "has lost a result", "nonsense": "cannot exist"}
        assert words.get(fault, "damaged") in failure_of(events)
        assert not any(event.HasField("interim_result") for event in events)
        await executor.until_called("AckTask")
        assert not list(unprivileged_folder.rglob("escaped*"))


def small_results(executor, count):
    """Has the executor know a job with that many small blobs in one result."""
    data = [b"result %d" % number for number in range(count)]
    refs = [ref_of(content) for content in data]
    executor.blobs.update((blob.sha256, content) for blob, content in zip(refs, data, strict=True))
    executor.tasks["job"] = task_of(refs[0])
    executor.tasks["job"][1].ClearField("blobs")
    executor.tasks["job"][1].blobs.extend(refs)
    return refs


def note_flushes(monkeypatch):
    """Returns what grows: inodes of files that are flushed, and names in folders at their flush."""
    flushed, named, fsync = set(), set(), os.fsync

    def noting(fd):
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            names = os.listdir(fd)  # noqa: PTH208 - Path takes no descriptor
            fsync(fd)
            named.update(names)
        else:
            fsync(fd)
            flushed.add(status.st_ino)

    monkeypatch.setattr(os, "fsync", noting)
    return flushed, named


@pytest.mark.parametrize("here", [False, True], ids=["fetched", "here already"])
async def test_many_small_results_are_flushed_with_their_names_before_their_event(
    unprivileged_folder, monkeypatch, here
):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        refs = small_results(executor, 200)
        flushed, named = note_flushes(monkeypatch)
        if here:
            for blob in refs:
                keep(gateway, executor.blobs[blob.sha256])
            named.clear()  # as of a gateway that was killed before it flushed them
        record_results, seen = BlobTransfer.record_results, []

        def looking(self, connection, head, refs):
            paths = [self._files.directory.path(blob.sha256) for blob in refs]
            seen.extend(path.name for path in paths if path.stat().st_ino in flushed and path.name in named)
            assert {path.parent.name for path in paths} <= named
            record_results(self, connection, head, refs)

        monkeypatch.setattr(BlobTransfer, "record_results", looking)
        await run(gateway, "job")
        assert (await events_of(gateway, "job"))[-1].state_change.state == JOB_STATE_COMPLETED
        assert sorted(seen) == sorted(blob.sha256 for blob in refs)
        assert len(executor.called("ReadBlob")) == (0 if here else 200)


async def test_first_small_result_that_fails_ends_the_reading_of_the_others(unprivileged_folder):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        refs = small_results(executor, 100)
        del executor.blobs[refs[50].sha256]
        reading, most, together, ended = set(), [], asyncio.Event(), asyncio.Event()

        async def hang_later(context, start):
            reading.add(context)
            most.append(len(reading))
            if len(reading) == 4:
                together.set()
            try:
                await together.wait()
                if len(executor.called("ReadBlob")) > 50:
                    await asyncio.Event().wait()
            finally:
                reading.remove(context)
                if not reading:
                    ended.set()

        executor.disturb = hang_later
        await run(gateway, "job")
        assert "has lost a result" in failure_of(await events_of(gateway, "job"))
        ended.clear()
        if reading:
            await asyncio.wait_for(ended.wait(), SOON)
        assert max(most) == 4
        assert len(executor.called("ReadBlob")) < 60


async def test_next_gateway_reads_the_small_results_that_had_not_come(unprivileged_folder):
    async with served(unprivileged_folder) as executor:
        refs, halfway = small_results(executor, 100), asyncio.Event()

        async def stop_halfway(context, start):
            if len(executor.called("ReadBlob")) > 50:
                halfway.set()
                await asyncio.Event().wait()

        executor.disturb = stop_halfway
        async with linked(unprivileged_folder) as gateway:
            await run(gateway, "job")
            await asyncio.wait_for(halfway.wait(), SOON)
        executor.disturb = executor.nothing
        async with linked(unprivileged_folder) as gateway:
            events = await events_of(gateway, "job")
            assert [event.sequence for event in events] == [1, 2, 3, 4]
            assert all(content(gateway, blob) == executor.blobs[blob.sha256] for blob in refs)
        assert len(executor.called("ReadBlob")) <= 104


async def test_small_results_that_find_no_room_wait_for_it(unprivileged_folder, monkeypatch):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        small_results(executor, 20)
        room, asked = BlobFiles.room, []

        def full_once(self):
            asked.append(None)
            return 0 if len(asked) == 10 else room(self)

        monkeypatch.setattr(BlobFiles, "room", full_once)
        await run(gateway, "job")
        assert (await events_of(gateway, "job"))[-1].state_change.state == JOB_STATE_COMPLETED
        assert len(asked) <= 24


async def test_events_of_other_jobs_flow_while_a_large_result_comes(unprivileged_folder):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        data, go_on = os.urandom(2 * MIB), asyncio.Event()
        executor.blobs[ref_of(data).sha256] = data

        async def hold(context, start):
            await go_on.wait()

        executor.disturb = hold
        executor.tasks["slow"], executor.tasks["fast"] = task_of(ref_of(data)), task_of()
        await run(gateway, "slow")
        await executor.until_called("ReadBlob")
        await run(gateway, "fast")
        assert (await events_of(gateway, "fast"))[-1].state_change.state == JOB_STATE_COMPLETED
        go_on.set()
        assert (await events_of(gateway, "slow"))[-1].state_change.state == JOB_STATE_COMPLETED


async def test_results_wait_in_the_spool_while_the_disk_is_full(unprivileged_folder):
    async with served(unprivileged_folder) as executor, linked(unprivileged_folder) as gateway:
        data = os.urandom(1000)
        executor.blobs[ref_of(data).sha256] = data
        executor.tasks["job"] = task_of(ref_of(data))
        owner = hashlib.sha256(b"job job").hexdigest()[:16]
        partial = unprivileged_folder / "blobs" / "partial" / f"{owner}-{ref_of(data).sha256}"
        partial.symlink_to("/dev/full")
        await run(gateway, "job")
        await executor.until_called("AttachTask")
        partial.unlink()
        assert (await events_of(gateway, "job"))[-1].state_change.state == JOB_STATE_COMPLETED
        assert content(gateway, ref_of(data)) == data
