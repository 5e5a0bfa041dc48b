"""Tasks that an executor has and no job needs any more: they are ended, and their spools deleted."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import grpc

from aerlock_executor.v1 import executor_pb2, executor_pb2_grpc
from aerlock_gateway.core.retry import insist
from aerlock_gateway.core.states import TERMINAL
from aerlock_gateway.store import jobs
from aerlock_gateway.store.database import Database

logger = logging.getLogger(__name__)

_CALL_SECONDS: Final = 10.0
# Between looks: while a task is being ended, and otherwise, since a request that was
# stuck on its way may start a task whenever it arrives.
_BUSY_SECONDS: Final = 0.5
_IDLE_SECONDS: Final = 30.0


class UnwantedTasks:
    """Compares what an executor has with what jobs need, again and again: nothing has to be remembered."""

    def __init__(self, stub: "executor_pb2_grpc.ExecutorServiceAsyncStub", database: Database) -> None:
        self._stub = stub
        self._database = database
        self._woken = asyncio.Event()

    def look_now(self) -> None:
        """Says that a job has ended without its task."""
        self._woken.set()

    async def sweep(self) -> bool:
        """Ends such tasks and deletes the spools of those that have ended; returns whether any is left.

        Raises AioRpcError where the executor cannot be reached.
        """
        listed = await self._stub.ListTasks(executor_pb2.ListTasksRequest(), timeout=_CALL_SECONDS)
        left = False
        for task in listed.tasks:
            row = await self._find(task.task_id)
            if row is not None and row.state not in TERMINAL:
                continue
            if task.ended:
                await self._delete(task, row)
            else:
                left = True
                await self._cancel(task.task_id)
        return left

    async def keep_sweeping(self) -> None:
        """Sweeps now and then, until it is cancelled or the executor cannot be reached."""
        while True:
            self._woken.clear()
            left = await self.sweep()
            try:
                async with asyncio.timeout(_BUSY_SECONDS if left else _IDLE_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _delete(self, task: executor_pb2.TaskSummary, row: jobs.JobRow | None) -> None:
        """Acknowledges all events, as their job does where it wants them."""
        count = task.last_offset - (row.last_offset if row else 0)
        request = executor_pb2.AckTaskRequest(task_id=task.task_id, offset=task.last_offset)
        await self._stub.AckTask(request, timeout=_CALL_SECONDS)
        if count > 0:
            logger.warning("discarded %d events of task %s, whose job had ended", count, task.task_id)

    async def _cancel(self, task_id: str) -> None:
        try:
            await self._stub.CancelTask(
                executor_pb2.CancelTaskRequest(task_id=task_id), timeout=_CALL_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise

    async def _find(self, task_id: str) -> jobs.JobRow | None:
        find: Callable[[sqlite3.Connection], jobs.JobRow | None] = partial(
            jobs.find, job_id=task_id, with_deleted=True
        )
        read: Callable[[], Awaitable[jobs.JobRow | None]] = partial(self._database.read, find)
        return await insist(read)
