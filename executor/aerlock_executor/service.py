"""ExecutorService over a supervisor: thin, one method per RPC."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from typing import Any

import grpc

from aerlock.codec.bounds import ValueBoundsError, check_blob_ref
from aerlock.v1.values_pb2 import BlobRef
from aerlock_executor import limits
from aerlock_executor.blobs import BlobStore
from aerlock_executor.errors import (
    BlobOffsetError,
    ExecutorError,
    InvalidBlobError,
    NoRoomError,
    SpoolError,
    UnknownBlobError,
)
from aerlock_executor.settings import ExecutorSettings
from aerlock_executor.spool import Spool
from aerlock_executor.supervisor import Supervisor
from aerlock_executor.v1 import executor_pb2, executor_pb2_grpc
from aerlock_executor.weaknesses import weaknesses

Context = grpc.aio.ServicerContext[Any, Any]

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
            isolation_tier=self._settings.tier,
            backends=info.backends,
            qiskit_version=info.qiskit_version,
            qpy_version=info.qpy_version,
            codec_version=info.codec_version,
            environments=self._supervisor.environments.names,
            uid=os.getuid(),
            weaknesses=weaknesses(self._settings.tier, self._supervisor.environments.controllers),
            limits=limits.to_message(self._settings),
        )

    async def StartTask(  # noqa: N802, D102
        self, request: executor_pb2.StartTaskRequest, context: Context
    ) -> AsyncIterator[executor_pb2.StartTaskResponse]:
        try:
            # A caller that goes away does not leave a task half started.
            spool = await asyncio.shield(self._supervisor.start_task(request))
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
        await self._supervisor.acknowledge(request.task_id, request.offset)
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

    async def FindMissingBlobs(  # noqa: N802, D102
        self, request: executor_pb2.FindMissingBlobsRequest, context: Context
    ) -> executor_pb2.FindMissingBlobsResponse:
        try:
            for blob in request.blobs:
                _check_ref(blob)
        except ExecutorError as error:
            await context.abort(error.code, str(error))
        missing = await asyncio.to_thread(self._supervisor.blobs.find_missing, request.blobs)
        return executor_pb2.FindMissingBlobsResponse(missing=missing)

    async def WriteBlob(  # noqa: N802, D102
        self, request_iterator: AsyncIterator[executor_pb2.WriteBlobRequest], context: Context
    ) -> executor_pb2.WriteBlobResponse:
        try:
            await _receive_blob(self._supervisor.blobs, request_iterator)
        except ExecutorError as error:
            await context.abort(error.code, str(error))
        return executor_pb2.WriteBlobResponse()

    async def ReadBlob(  # noqa: N802, D102
        self, request: executor_pb2.ReadBlobRequest, context: Context
    ) -> AsyncIterator[executor_pb2.ReadBlobResponse]:
        try:
            async for data in _chunks(self._supervisor.blobs, request.sha256, request.offset):
                yield executor_pb2.ReadBlobResponse(data=data)
        except ExecutorError as error:
            await context.abort(error.code, str(error))


def _check_ref(blob: BlobRef) -> None:
    try:
        check_blob_ref(blob)
    except ValueBoundsError as error:
        raise InvalidBlobError(str(error)) from error


async def _receive_blob(store: BlobStore, requests: AsyncIterator[executor_pb2.WriteBlobRequest]) -> None:
    """Takes one blob from a stream, unless it is here already; raises ExecutorError."""
    request = await anext(requests, executor_pb2.WriteBlobRequest())
    blob = request.blob
    _check_ref(blob)
    if not await asyncio.to_thread(store.find_missing, [blob]):
        return
    try:
        with store.begin(blob.size_bytes) as draft:
            await asyncio.to_thread(draft.write, request.data)
            async for request in requests:
                if request.HasField("blob"):
                    raise InvalidBlobError("only the first message of a stream names its blob")
                if draft.size + len(request.data) > blob.size_bytes:
                    raise InvalidBlobError(f"the data is longer than the blob's {blob.size_bytes:,} bytes")
                await asyncio.to_thread(draft.write, request.data)
            if draft.close() != blob:
                raise InvalidBlobError("the data has another length or SHA-256 than the blob")
            await asyncio.to_thread(store.adopt, draft)
    except OSError as error:
        kind = NoRoomError if error.errno in _DISK_FULL else SpoolError
        raise kind(f"the executor cannot write a blob: {error.strerror}") from error


async def _chunks(store: BlobStore, sha256: str, offset: int) -> AsyncIterator[bytes]:
    """Yields a blob from an offset on; raises ExecutorError."""
    try:
        check_blob_ref(BlobRef(sha256=sha256, size_bytes=1))
    except ValueBoundsError:
        raise UnknownBlobError("there is no such blob") from None
    size, data = await asyncio.to_thread(_first_chunk, store, sha256, offset)
    while data:
        yield data
        offset += len(data)
        data = await asyncio.to_thread(store.read, sha256, offset) if offset < size else b""


def _first_chunk(store: BlobStore, sha256: str, offset: int) -> tuple[int, bytes]:
    """Returns the length of a blob and its bytes from an offset on: all there is in one turn for most."""
    size = store.size(sha256)
    if not 0 <= offset <= size:
        raise BlobOffsetError(f"offset must be from 0 to {size:,}")
    return size, store.read(sha256, offset)


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
