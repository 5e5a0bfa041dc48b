"""The line to the executor: starts tasks, takes their events into the log, and survives either side's end.

What is not in the log yet lies in the executor's spool: a stream that breaks is
taken up again after the last offset that is committed.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import grpc

from aerlock.v1.backends_pb2 import Backend
from aerlock.v1.jobs_pb2 import (
    FAILURE_REASON_EXECUTOR_LOST,
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_FAILED,
    JobFailure,
    StateChange,
)
from aerlock.v1.limits_pb2 import ResourceLimits
from aerlock_executor.v1 import executor_pb2, executor_pb2_grpc
from aerlock_gateway.core.blob_files import BlobFiles
from aerlock_gateway.core.blob_transfer import BlobLostError, BlobTransfer, NoRoomError
from aerlock_gateway.core.encoding import Batch
from aerlock_gateway.core.joblog import JobLog, SpoolGapError
from aerlock_gateway.core.retry import LONGEST_WAIT, SHORTEST_WAIT, Lease, insist
from aerlock_gateway.core.scheduler import NOWHERE, Placement, Scheduler
from aerlock_gateway.core.states import TERMINAL, IllegalTransitionError
from aerlock_gateway.core.task_calls import start_request, stream_of
from aerlock_gateway.core.unwanted_tasks import UnwantedTasks
from aerlock_gateway.errors import InvalidArgumentError, NotFoundError, UnavailableError, Violation
from aerlock_gateway.store import jobs
from aerlock_gateway.store.database import Database

logger = logging.getLogger(__name__)

_CALL_SECONDS: Final = 10.0
_DEFAULT_ENVIRONMENT: Final = "default"
_RECONNECT: Final = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A batch is about 1 MiB at most; gRPC's own bound, said here because the spool relies on it.
    ("grpc.max_receive_message_length", 4 << 20),
    # A proxy of the environment has no business on this line.
    ("grpc.enable_http_proxy", 0),
    # An executor that hangs is as good as one that is gone: the lease of its jobs begins.
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)

ExecutorInfo = executor_pb2.GetExecutorInfoResponse

T = TypeVar("T")


class TierRefusedError(Exception):
    """A job was promised a tier that is not to be used any more."""


@dataclass(frozen=True, slots=True)
class ExecutorAddress:
    """Where an executor listens; without credentials that is a unix socket."""

    target: str
    credentials: grpc.ChannelCredentials | None = None

    def open(self) -> grpc.aio.Channel:
        """Returns a channel, which connects when it is used."""
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.target, options=_RECONNECT)
        return grpc.aio.secure_channel(self.target, self.credentials, options=_RECONNECT)


class ExecutorLink:
    """One executor; one coroutine follows each of its tasks."""

    def __init__(
        self,
        address: ExecutorAddress,
        database: Database,
        joblog: JobLog,
        scheduler: Scheduler,
        files: BlobFiles,
        lease_seconds: float,
        on_connection: Callable[[ExecutorInfo | None], Coroutine[Any, Any, None]],
        refusal: Callable[[str], str] = lambda tier: "",
    ) -> None:
        """``on_connection`` is awaited with the executor that may run jobs, or None, whenever that changes.

        ``refusal`` says why an executor of a tier is not to be used; nothing where it is.
        """
        self.info: ExecutorInfo | None = None
        """What the executor that connected last says of itself."""
        self._refusal = refusal
        self._database = database
        self._joblog = joblog
        self._scheduler = scheduler
        self._lease_seconds = lease_seconds
        self._on_connection = on_connection
        self._channel = address.open()
        self._stub = executor_pb2_grpc.ExecutorServiceStub(self._channel)
        self._start_task = stream_of(self._channel, "StartTask", executor_pb2.StartTaskRequest)
        self._attach_task = stream_of(self._channel, "AttachTask", executor_pb2.AttachTaskRequest)
        self._unwanted = UnwantedTasks(self._stub, database)
        self._transfer = BlobTransfer(self._stub, database, files)
        self._following: dict[str, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._stopped = False
        scheduler.start = self._follow

    async def start(self) -> None:
        """Connects in the background and takes up the jobs that an earlier gateway had handed over."""
        for head in await self._read(jobs.held):
            self._follow(head)
        self._spawn(self._stay_connected())

    async def stop(self) -> None:
        """Stops following; the tasks run on, and the next gateway takes them up.

        So it does with jobs that what is still being committed starts.
        """
        self._stopped = True
        tasks = [*self._following.values(), *self._others]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._channel.close()

    def backends(self) -> list[Backend]:
        """Returns the backends by name; raises `UnavailableError` without an executor that may be used."""
        if self.info is None:
            raise UnavailableError(
                "no executor has connected since the gateway started; try again, or start one",
                reason="NO_EXECUTOR",
                retry_seconds=1,
            )
        if refusal := self._refusal(self.info.isolation_tier):
            raise UnavailableError(refusal, reason="EXECUTOR_REFUSED")
        return sorted(self.info.backends, key=lambda backend: backend.name)

    @property
    def limits(self) -> ResourceLimits:
        """What the executor's jobs may use; none before one has connected."""
        return self.info.limits if self.info else ResourceLimits()

    def find_backend(self, name: str) -> Backend:
        """Returns a backend; raises `NotFoundError`, which lists what there is, or `UnavailableError`."""
        backends = {backend.name: backend for backend in self.backends()}
        if name not in backends:
            raise NotFoundError(
                f"there is no backend {name[:64]!r}; there are {', '.join(backends)}",
                reason="BACKEND_NOT_FOUND",
            )
        return backends[name]

    def find_environment(self, name: str) -> str:
        """Returns the name of an environment, the default one for none; raises `InvalidArgumentError`."""
        names = self.info.environments if self.info else [_DEFAULT_ENVIRONMENT]
        if name and name not in names:
            sentence = f"there is no environment {name[:64]!r}; there are {', '.join(names)}"
            raise InvalidArgumentError.of([Violation("options.image", sentence)])
        return name or _DEFAULT_ENVIRONMENT

    def cancel(self, job_id: str) -> None:
        """Has the executor end a task; tries until the task is known there or the job has ended."""
        self._spawn(self._deliver_cancel(job_id))

    async def _stay_connected(self) -> None:
        while True:
            try:
                info = await self._stub.GetExecutorInfo(
                    executor_pb2.GetExecutorInfoRequest(), wait_for_ready=True, timeout=_CALL_SECONDS
                )
                await self._unwanted.sweep()
            except grpc.aio.AioRpcError:
                await asyncio.sleep(SHORTEST_WAIT)
                continue
            logger.info("connected to the executor: %d slots, isolation %s", info.slots, info.isolation_tier)
            self.info = info
            if refusal := self._refusal(info.isolation_tier):
                logger.error("%s", refusal)
            else:
                self._scheduler.placement = Placement(info.slots, info.isolation_tier)
                await insist(self._joblog.start_queued)
                await self._on_connection(info)
            sweeping = self._spawn(self._sweep())
            await self._until_disconnected()
            sweeping.cancel()
            self._scheduler.placement = NOWHERE
            await self._on_connection(None)
            # Without jobs at stake it may as well have been stopped.
            level = logging.WARNING if self._following else logging.INFO
            logger.log(level, "lost the executor; trying to connect again")

    async def _sweep(self) -> None:
        """Keeps the executor free of what nobody needs; a line that breaks is noticed elsewhere."""
        while True:
            with suppress(grpc.aio.AioRpcError):
                await self._unwanted.keep_sweeping()
            await asyncio.sleep(LONGEST_WAIT)

    async def _until_disconnected(self) -> None:
        while (state := self._channel.get_state()) == grpc.ChannelConnectivity.READY:
            await self._channel.wait_for_state_change(state)

    def _follow(self, head: jobs.Head) -> None:
        if self._stopped:
            return
        task = asyncio.create_task(self._follow_to_end(head), name=f"job {head.job_id}")
        self._following[head.job_id] = task
        task.add_done_callback(lambda _: self._following.pop(head.job_id, None))

    async def _follow_to_end(self, head: jobs.Head) -> None:
        """Brings a job that was handed over to its terminal event, whatever the executor does."""
        try:
            await self._take_events(head)
        except (SpoolGapError, IllegalTransitionError) as error:
            logger.error("job %s: %s", head.job_id, error)
            await self._lose(head, "The executor's account of the job was not consistent.")
        except (BlobLostError, TierRefusedError) as error:
            logger.error("job %s: %s", head.job_id, error)
            await self._lose(head, str(error))
        except Exception:
            logger.exception("job %s cannot be followed", head.job_id)
            await self._lose(head, "The gateway failed to record the job.")

    async def _take_events(self, head: jobs.Head) -> None:
        lease = Lease(self._lease_seconds)
        if head.state == JOB_STATE_CANCELLING:
            self.cancel(head.job_id)
        problem = unreachable = "could not be reached"
        kept: set[str] = set()
        while head.state not in TERMINAL:
            try:
                async for batch in self._open_stream(head):
                    head = await self._take(head, batch, lease, kept)
                    lease.renew()
                head = await self._ended(head)
            except grpc.aio.AioRpcError as error:
                if head.state in TERMINAL or await self._give_up(head, error):
                    return
                if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                    lease.renew()  # it is there, and has fewer slots than it had
                elif error.code() == grpc.StatusCode.UNAVAILABLE:
                    problem = unreachable
                elif error.code() == grpc.StatusCode.FAILED_PRECONDITION:
                    problem = "could not keep the large values of the job's inputs"
            except NoRoomError:
                problem = "had no room for the large values of the job's inputs"
            except (sqlite3.OperationalError, OSError, UnavailableError) as error:
                # The disk may be full. The events stay in the spool meanwhile.
                logger.error("job %s cannot be recorded, trying again: %s", head.job_id, error)
                await asyncio.sleep(LONGEST_WAIT)
                head = await self._read(partial(jobs.find_head, job=head.id))
                continue
            if head.state in TERMINAL:
                # Only the end lets the executor forget something: earlier offsets need no words.
                await self._acknowledge(head.job_id, head.last_offset)
                return
            if lease.is_over():
                await self._lose(head, f"The executor {problem} for {self._lease_seconds:g} s.")
                return
            await lease.pause()
            head = await self._read(partial(jobs.find_head, job=head.id))

    async def _ended(self, head: jobs.Head) -> jobs.Head:
        """Returns the head of a job whose stream has ended; raises `SpoolGapError` if that was too early."""
        head = await self._read(partial(jobs.find_head, job=head.id))
        if head.state not in TERMINAL:
            raise SpoolGapError(f"its stream ended after offset {head.last_offset}, and its task did not")
        return head

    async def _take(self, head: jobs.Head, batch: Batch, lease: Lease, kept: set[str]) -> jobs.Head:
        """Takes a batch into the log; the large values of its results come first.

        Those in ``kept`` are the job's already: a program may refer to a thousand in each of its results.
        """
        refs = [ref for ref in batch.blobs if ref.sha256 not in kept]
        if not refs:
            return await self._joblog.append(head.id, batch.events)
        await self._transfer.fetch(head.job_id, refs, lease.renew)
        also = partial(self._transfer.record_results, refs=refs)
        head = await self._joblog.append(head.id, batch.events, also)
        kept.update(ref.sha256 for ref in refs)
        return head

    async def _open_stream(self, head: jobs.Head) -> AsyncIterator[Batch]:
        """Starts the task where nothing of it is committed: that attaches where it is known already."""
        if head.last_offset == 0 and head.state != JOB_STATE_CANCELLING:
            request, refs = await self._read(partial(start_request, job_id=head.job_id))
            if refusal := self._refusal(request.isolation_tier):
                raise TierRefusedError(refusal)
            if refs:
                await self._transfer.send(refs)
            async for started in self._start_task(request):
                yield started
        else:
            attach = executor_pb2.AttachTaskRequest(task_id=head.job_id, after_offset=head.last_offset)
            async for attached in self._attach_task(attach):
                yield attached

    async def _acknowledge(self, job_id: str, offset: int) -> None:
        with suppress(grpc.aio.AioRpcError):
            await self._stub.AckTask(
                executor_pb2.AckTaskRequest(task_id=job_id, offset=offset), timeout=_CALL_SECONDS
            )

    async def _give_up(self, head: jobs.Head, error: grpc.aio.AioRpcError) -> bool:
        """Ends the job where its task is gone or refused; returns whether it did."""
        match error.code():
            case grpc.StatusCode.NOT_FOUND if head.last_offset == 0:
                # Nothing of it was started, and it is being cancelled.
                await self._end(head, StateChange(state=JOB_STATE_CANCELLED))
            case grpc.StatusCode.NOT_FOUND:
                await self._lose(head, "The executor has lost the job.")
            case grpc.StatusCode.INVALID_ARGUMENT:
                await self._lose(head, f"The executor refused the job: {(error.details() or '')[:500]}")
            case _:
                return False
        return True

    async def _lose(self, head: jobs.Head, message: str) -> None:
        failure = JobFailure(reason=FAILURE_REASON_EXECUTOR_LOST, message=message)
        await self._end(head, StateChange(state=JOB_STATE_FAILED, failure=failure))

    async def _end(self, head: jobs.Head, change: StateChange) -> None:
        await insist(lambda: self._joblog.end(head.id, change))
        self._unwanted.look_now()

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await insist(lambda: self._database.read(work))

    async def _deliver_cancel(self, job_id: str) -> None:
        request = executor_pb2.CancelTaskRequest(task_id=job_id)
        wait = SHORTEST_WAIT
        while job_id in self._following:
            try:
                await self._stub.CancelTask(request, timeout=_CALL_SECONDS)
            except grpc.aio.AioRpcError:
                # Not known there yet, or not reachable.
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            else:
                return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._others.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("a background task of the executor link failed", exc_info=error)
