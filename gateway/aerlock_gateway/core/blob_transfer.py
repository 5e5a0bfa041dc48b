"""Blobs between gateway and executor: inputs go ahead of their task, results come ahead of their events."""

import asyncio
import contextlib
import errno
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import grpc

from aerlock.blob_directory import BlobContentError
from aerlock.codec.bounds import ValueBoundsError, check_blob_ref
from aerlock.v1.values_pb2 import BlobRef
from aerlock_executor.v1 import executor_pb2, executor_pb2_grpc
from aerlock_gateway.core.blob_files import BlobFiles
from aerlock_gateway.core.blobs import digest, record
from aerlock_gateway.store import blobs, jobs
from aerlock_gateway.store.database import Database

_CALL_SECONDS: Final = 10.0
_SLOWEST_BYTES_PER_SECOND: Final = 1 << 20


class BlobLostError(Exception):
    """A blob that a job needs cannot be had any more; the text is for the job's owner."""


class NoRoomError(Exception):
    """The executor has no room for a blob at present."""


class BlobTransfer:
    """Moves blobs in chunks. What breaks raises AioRpcError, and goes on where it ended when tried again."""

    def __init__(
        self, stub: "executor_pb2_grpc.ExecutorServiceAsyncStub", database: Database, files: BlobFiles
    ) -> None:
        self._stub = stub
        self._database = database
        self._files = files

    async def send(self, refs: Sequence[BlobRef]) -> None:
        """Writes to the executor what it lacks of these.

        Raises AioRpcError, `NoRoomError` and `BlobLostError`.
        """
        request = executor_pb2.FindMissingBlobsRequest(blobs=refs)
        answer = await self._stub.FindMissingBlobs(request, timeout=_CALL_SECONDS)
        for ref in answer.missing:
            try:
                await self._write(ref)
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                raise NoRoomError from error
            except FileNotFoundError:
                raise BlobLostError("A blob of the job's inputs is gone from the gateway's disk.") from None

    async def fetch(self, job_id: str, refs: Sequence[BlobRef], progress: Callable[[], None]) -> None:
        """Reads from the executor what is not here of these, and brings it to the disk.

        ``progress`` is called with each chunk. Raises AioRpcError, `BlobLostError`,
        and OSError where the disk is full.
        """
        for ref in refs:
            _check(ref)
            if not await self._is_here(ref):
                await self._read(job_id, ref, progress)

    def record_results(
        self, connection: sqlite3.Connection, head: jobs.Head, refs: Sequence[BlobRef]
    ) -> None:
        """Says in the transaction of the events that a job's results refer to blobs that `fetch` has brought.

        Raises `UnavailableError` where they have been deleted meanwhile.
        """
        record(connection, self._files.directory, refs)
        blobs.refer(connection, head.owner, head.id, map(digest, refs), blobs.RESULT)

    async def _is_here(self, ref: BlobRef) -> bool:
        # A file without a row may still be on its way to the disk.
        known = await self._database.read(lambda connection: blobs.exists(connection, digest(ref)))
        return known and await self._files.run(lambda: self._files.directory.has(ref))

    async def _write(self, ref: BlobRef) -> None:
        call = self._stub.WriteBlob(timeout=_timeout(ref))
        try:
            # The executor may answer early: then it has the blob by now, or says why it does not take it.
            with contextlib.suppress(asyncio.InvalidStateError):
                await call.write(executor_pb2.WriteBlobRequest(blob=ref))
                async for chunk in self._files.read(ref.sha256, 0):
                    await call.write(executor_pb2.WriteBlobRequest(data=chunk))
                await call.done_writing()
            await call
        finally:
            call.cancel()

    async def _read(self, job_id: str, ref: BlobRef, progress: Callable[[], None]) -> None:
        if ref.size_bytes > await self._files.room():
            raise OSError(errno.ENOSPC, "no room for a blob of a result")
        # Each job for itself: two that bring the same blob do not wait for each other.
        owner = f"job {job_id}"
        offset = await self._files.run(lambda: self._files.directory.written_bytes(ref, owner))
        try:
            await self._receive(ref, offset, owner, progress)
        except BlobContentError:
            # What an earlier gateway has left may be torn.
            if not offset:
                raise BlobLostError("The executor sent a damaged result.") from None
            await self._read(job_id, ref, progress)
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
            raise BlobLostError("The executor has lost a result of the job.") from None

    async def _receive(self, ref: BlobRef, offset: int, owner: str, progress: Callable[[], None]) -> None:
        request = executor_pb2.ReadBlobRequest(sha256=ref.sha256, offset=offset)
        async with self._files.writer(ref, offset, owner) as writer:
            call = self._stub.ReadBlob(request, timeout=_timeout(ref))
            try:
                async for response in call:
                    await self._files.run(partial(writer.write, response.data))
                    progress()
            finally:
                call.cancel()
            await self._files.run(writer.finish)


def _check(ref: BlobRef) -> None:
    try:
        check_blob_ref(ref)
    except ValueBoundsError:
        raise BlobLostError("The executor named a blob that cannot exist.") from None


def _timeout(ref: BlobRef) -> float:
    return _CALL_SECONDS + ref.size_bytes / _SLOWEST_BYTES_PER_SECOND
