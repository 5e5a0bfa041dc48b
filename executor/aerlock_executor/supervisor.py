"""The supervisor: every task of this executor, from spool to slot."""

import asyncio
import logging
import re
from pathlib import Path

from aerlock.codec.bounds import ValueBoundsError, check_map
from aerlock.v1.jobs_pb2 import JOB_STATE_FAILED, FailureReason, JobFailure
from aerlock.v1.values_pb2 import BlobRef, MapValue
from aerlock_executor.blobs import BlobStore
from aerlock_executor.environments import Environments
from aerlock_executor.errors import InvalidTaskError, NoSlotError, SpoolError, StoppingError, UnknownTaskError
from aerlock_executor.frame_reader import LARGE_FRAME_BYTES
from aerlock_executor.limits import cell_limits, limits_of
from aerlock_executor.output import now
from aerlock_executor.pool import CellPool
from aerlock_executor.settings import ExecutorSettings
from aerlock_executor.spool import Spool
from aerlock_executor.task import Task
from aerlock_executor.task_blobs import TaskBlobs
from aerlock_executor.v1.cell_pb2 import CellStart
from aerlock_executor.v1.executor_pb2 import StartTaskRequest, TaskEnded, TaskEvent
from aerlock_executor.zygote import ZygoteInfo

logger = logging.getLogger(__name__)

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
TASK_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
SPOOL_SUFFIX = ".spool"
EVICT_SECONDS = 10.0


class Supervisor:
    """Starts tasks in cells and keeps their spools until they are acknowledged."""

    def __init__(self, settings: ExecutorSettings) -> None:
        self._settings = settings
        self._spool_dir = settings.data_dir / "spool"
        self.blobs = BlobStore(settings.data_dir / "blobs", self._spool_dir, settings.blob_cache_bytes)
        """The blobs that are here, for tasks to come and of tasks that are known."""
        self._evictor: asyncio.Task[None] | None = None
        self.environments = Environments(settings, cell_limits(settings))
        self._starting = asyncio.Lock()
        self._spools: dict[str, Spool] = {}
        self._tasks: dict[str, Task] = {}
        self._runs: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def spools(self) -> dict[str, Spool]:
        """The spools that are not deleted yet, by task id."""
        return self._spools

    @property
    def info(self) -> ZygoteInfo:
        """What programs run with."""
        return self.environments.info

    async def start(self) -> None:
        """Recovers the spools of an earlier process and warms the first cell.

        Raises:
            ZygoteError: there is no sandbox.
            OSError: the data directory cannot be used.
        """
        self._spool_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._spool_dir.glob(f"*{SPOOL_SUFFIX}"):
            self._recover(path)
        await asyncio.to_thread(self.blobs.recover, set(self._spools))
        self._evictor = asyncio.create_task(self._evict())
        await self.environments.start()

    async def stop(self, grace_seconds: float) -> None:
        """Ends every task as EXECUTOR_LOST and waits, with a limit, until the gateway has the ends."""
        self._stopping = True
        if self._evictor:
            self._evictor.cancel()
        for task in self._tasks.values():
            task.fail(_lost("The executor was stopped while the job ran."))
        try:
            async with asyncio.timeout(grace_seconds):
                await asyncio.gather(*self._runs)
                await asyncio.gather(*(spool.deleted.wait() for spool in self._spools.values()))
        except TimeoutError:
            logger.warning("%d tasks end without acknowledgement; their spools stay", len(self._spools))
        await self.environments.close()

    async def start_task(self, request: StartTaskRequest) -> Spool:
        """Starts the task, unless it is known, and returns its spool. To be shielded from cancellation.

        Raises:
            StoppingError, NoSlotError, InvalidTaskError, MissingBlobError, SpoolError: nothing was started.
        """
        async with self._starting:
            if spool := self._spools.get(request.task_id):
                return spool
            self._check_room()
            _check(request, {backend.name for backend in self.info.backends}, self._settings.tier)
            pool = self.environments.pool(request.environment)
            inputs = await _blobs_of(request.inputs)
            try:
                spool = await self._make_spool(request.task_id, inputs)
            except BaseException:
                await self._release(request.task_id)
                raise
            self._start(request, inputs, spool, pool)
            return spool

    async def _make_spool(self, task_id: str, inputs: list[BlobRef]) -> Spool:
        """Pins the inputs first: pins without a spool are removed at the next start."""
        try:
            if inputs:
                await asyncio.to_thread(self.blobs.pin, task_id, inputs)
                self._check_room()  # it may have begun to stop meanwhile
            return Spool.create(self._spool_dir / f"{task_id}{SPOOL_SUFFIX}")
        except OSError as error:
            raise SpoolError(f"the executor cannot write a spool: {error.strerror}") from error

    def _check_room(self) -> None:
        if self._stopping:
            raise StoppingError("the executor is stopping")
        if len(self._tasks) >= self._settings.slot_count:
            raise NoSlotError(f"all {self._settings.slot_count} slots are taken")

    def _start(self, request: StartTaskRequest, inputs: list[BlobRef], spool: Spool, pool: CellPool) -> None:
        limits = limits_of(self._settings, request.limits)
        start = CellStart(
            source=request.source,
            inputs=request.inputs,
            backend_name=request.backend_name,
            log_level=request.log_level,
            memory_bytes=limits.cell.memory_bytes,
            cpu_seconds=limits.cpu_seconds,
            threads=limits.cell.threads,
            open_files=limits.cell.open_files,
            blobs=inputs,
            interim_results_schema=request.interim_results_schema,
            return_values_schema=request.return_values_schema,
        )
        task = Task(request.task_id, start, limits, spool, TaskBlobs(self.blobs, request.task_id, inputs))
        self._spools[request.task_id] = spool
        self._tasks[request.task_id] = task
        run = asyncio.create_task(self._run(task, pool))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)

    def spool(self, task_id: str, after_offset: int = 0) -> Spool:
        """Returns the spool of a known task that has the offset.

        Raises:
            UnknownTaskError: there is none.
            InvalidTaskError: it has no such offset.
        """
        spool = self._spools.get(task_id)
        if spool is None:
            raise UnknownTaskError(f"no task {task_id!r}")
        if not 0 <= after_offset <= spool.last_offset:
            raise InvalidTaskError(f"after_offset must be from 0 to {spool.last_offset}")
        return spool

    def cancel_task(self, task_id: str) -> None:
        """Interrupts a task's program, and ends it after a grace; one that has ended stays as it is.

        Raises:
            UnknownTaskError: there is none.
        """
        self.spool(task_id)
        if task := self._tasks.get(task_id):
            task.cancel()

    async def acknowledge(self, task_id: str, offset: int) -> None:
        """Deletes the spool of a task and gives up its blobs when ``offset`` covers its end."""
        spool = self._spools.get(task_id)
        if spool and spool.ended and offset >= spool.last_offset:
            del self._spools[task_id]
            spool.delete()
            async with self._starting:
                await self._release(task_id)

    async def _release(self, task_id: str) -> None:
        if not self.blobs.has_pins(task_id):
            return
        try:
            await asyncio.to_thread(self.blobs.release, task_id)
        except OSError as error:  # the next start tries again
            logger.warning("cannot give up the blobs of task %s: %s", task_id, error)

    async def _evict(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.blobs.evict)
            except OSError as error:
                logger.warning("cannot make room for blobs: %s", error)
            await asyncio.sleep(EVICT_SECONDS)

    async def _run(self, task: Task, pool: CellPool) -> None:
        try:
            await task.run(pool)
        finally:
            del self._tasks[task.task_id]

    def _recover(self, path: Path) -> None:
        spool = Spool.recover(path)
        if not spool.ended:
            failure = _lost("The executor ended while the job ran.")
            spool.append([now(TaskEvent(ended=TaskEnded(state=JOB_STATE_FAILED, failure=failure)))])
        self._spools[path.name.removesuffix(SPOOL_SUFFIX)] = spool


def _check(request: StartTaskRequest, backend_names: set[str], tier: str) -> None:
    """Refuses a request that the gateway should not have sent; nothing is started then."""
    if not TASK_ID.fullmatch(request.task_id):
        raise InvalidTaskError("task_id must be 1 to 64 letters, digits and '-'")
    if request.backend_name not in backend_names:
        raise InvalidTaskError(
            f"no backend {request.backend_name!r}; there are {', '.join(sorted(backend_names))}"
        )
    if request.isolation_tier not in ("", tier):
        raise InvalidTaskError(f"the isolation is {tier} here, and the job was told {request.isolation_tier}")
    if request.log_level not in ("", *LOG_LEVELS):
        raise InvalidTaskError(f"log_level must be one of {', '.join(LOG_LEVELS)}")


async def _blobs_of(inputs: MapValue) -> list[BlobRef]:
    """The blobs that inputs refer to, each once, in the order of first mention; raises InvalidTaskError."""
    size = inputs.ByteSize()
    try:
        if size > LARGE_FRAME_BYTES:
            return await asyncio.to_thread(check_map, inputs, size)
        return check_map(inputs, size)
    except ValueBoundsError as error:
        raise InvalidTaskError(f"inputs: {error}") from error


def _lost(message: str) -> JobFailure:
    return JobFailure(reason=FailureReason.FAILURE_REASON_EXECUTOR_LOST, message=message)
