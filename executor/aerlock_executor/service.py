"""ExecutorService over a supervisor: thin, one method per RPC."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from aerlock_executor.errors import ExecutorError
from aerlock_executor.settings import ExecutorSettings
from aerlock_executor.spool import Spool
from aerlock_executor.supervisor import ISOLATION_TIER, Supervisor
from aerlock_executor.v1 import executor_pb2, executor_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class ExecutorService(executor_pb2_grpc.ExecutorServiceServicer):
    """See protos/aerlock_executor/v1/executor.proto, which describes each method."""

    def __init__(self, supervisor: Supervisor, settings: ExecutorSettings) -> None:
        self._supervisor = supervisor
        self._settings = settings

    async def GetExecutorInfo(  # noqa: N802, D102
        self, request: executor_pb2.GetExecutorInfoRequest, context: Context
    ) -> executor_pb2.GetExecutorInfoResponse:
        info = self._supervisor.info
        return executor_pb2.GetExecutorInfoResponse(
            slots=self._settings.slot_count,
            isolation_tier=ISOLATION_TIER,
            backends=info.backends,
            qiskit_version=info.qiskit_version,
            qpy_version=info.qpy_version,
        )

    async def StartTask(  # noqa: N802, D102
        self, request: executor_pb2.StartTaskRequest, context: Context
    ) -> AsyncIterator[executor_pb2.StartTaskResponse]:
        try:
            spool = self._supervisor.start_task(request)
        except ExecutorError as error:
            await context.abort(error.code, str(error))
        request.Clear()  # the stream lives long, the inputs need not
        async for page in _pages(spool, 0):
            yield executor_pb2.StartTaskResponse.FromString(page)

    async def AttachTask(  # noqa: N802, D102
        self, request: executor_pb2.AttachTaskRequest, context: Context
    ) -> AsyncIterator[executor_pb2.AttachTaskResponse]:
        try:
            spool = self._supervisor.spool(request.task_id, request.after_offset)
        except ExecutorError as error:
            await context.abort(error.code, str(error))
        async for page in _pages(spool, request.after_offset):
            yield executor_pb2.AttachTaskResponse.FromString(page)

    async def AckTask(  # noqa: N802, D102
        self, request: executor_pb2.AckTaskRequest, context: Context
    ) -> executor_pb2.AckTaskResponse:
        self._supervisor.acknowledge(request.task_id, request.offset)
        return executor_pb2.AckTaskResponse()

    async def CancelTask(  # noqa: N802, D102
        self, request: executor_pb2.CancelTaskRequest, context: Context
    ) -> executor_pb2.CancelTaskResponse:
        try:
            self._supervisor.cancel_task(request.task_id)
        except ExecutorError as error:
            await context.abort(error.code, str(error))
        return executor_pb2.CancelTaskResponse()

    async def ListTasks(  # noqa: N802, D102
        self, request: executor_pb2.ListTasksRequest, context: Context
    ) -> executor_pb2.ListTasksResponse:
        tasks = [
            executor_pb2.TaskSummary(task_id=task_id, last_offset=spool.last_offset, ended=spool.ended)
            for task_id, spool in self._supervisor.spools.items()
        ]
        return executor_pb2.ListTasksResponse(tasks=tasks)


async def _pages(spool: Spool, after_offset: int) -> AsyncIterator[bytes]:
    """Yields what the spool holds after an offset, then what comes, up to its end."""
    while True:
        page, after_offset = spool.read(after_offset)
        if page:
            yield page
        elif spool.ended:
            return
        else:
            await spool.wait(after_offset)
