"""Blobs between gateway and executor: inputs go ahead of their task, results come ahead of their events."""

import asyncio
import contextlib
import errno
import sqlite3
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import grpc

from aerlock.blob_directory import CHUNK_BYTES, BlobContentError
from aerlock.codec.bounds import ValueBoundsError, check_blob_ref
from aerlock.v1.values_pb2 import BlobRef
from aerlock_executor.v1 import executor_pb2, executor_pb2_grpc
from aerlock_gateway.core.blob_files import BlobFiles, unbroken
from aerlock_gateway.core.blobs import digest, record
from aerlock_gateway.store import blobs, jobs
from aerlock_gateway.store.database import Database

_CALL_SECONDS: Final = 10.0
_SLOWEST_BYTES_PER_SECOND: Final = 1 << 20
# Half of the threads for files, so that one job's flood leaves the other half to everybody else.
_AT_ONCE: Final = 4
# Those that are read at once take no more memory than a chunk of a large one.
_SMALL_BYTES: Final = CHUNK_BYTES // _AT_ONCE
_DAMAGED: Final = "The executor sent a damaged result."

_Reading = AsyncIterable[executor_pb2.ReadBlobResponse]


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
        """Reads from the executor what is not here of these, each named once, and brings all to the disk.

        ``progress`` is called with each chunk. What has come before an error is not read again.
        Raises AioRpcError, `BlobLostError`, and OSError where the disk is full.
        """
        for ref in refs:
            _check(ref)
        missing = await self._files.run(lambda: self._files.directory.missing(refs))
        for ref in missing:
            if ref.size_bytes > _SMALL_BYTES:
                await self._read(job_id, ref, progress)
        small = [ref for ref in missing if ref.size_bytes <= _SMALL_BYTES]
        await _each(partial(self._read_small, job_id, progress), small)
        # Of those that were here too: who brought them may not have come that far.
        await self._files.run(lambda: self._files.directory.sync_names(refs))

    def record_results(
        self, connection: sqlite3.Connection, head: jobs.Head, refs: Sequence[BlobRef]
    ) -> None:
        """Says in the transaction of the events that a job's results refer to blobs that `fetch` has brought.

        Raises `UnavailableError` where they have been deleted meanwhile.
        """
        record(connection, self._files.directory, refs)
        blobs.refer(connection, head.owner, head.id, map(digest, refs), blobs.RESULT)

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
        await self._files.run(lambda: self._check_room(ref))
        owner = _owner(job_id)
        offset = await self._files.run(lambda: self._files.directory.written_bytes(ref, owner))
        try:
            await self._receive(ref, offset, owner, progress)
        except BlobContentError:
            # What an earlier gateway has left may be torn.
            if not offset:
                raise BlobLostError(_DAMAGED) from None
            await self._read(job_id, ref, progress)

    async def _receive(self, ref: BlobRef, offset: int, owner: str, progress: Callable[[], None]) -> None:
        async with self._files.writer(ref, offset, owner) as writer, self._reading(ref, offset) as call:
            async for response in call:
                await self._files.run(partial(writer.write, response.data))
                progress()
            await self._files.run(writer.place)

    async def _read_small(self, job_id: str, progress: Callable[[], None], ref: BlobRef) -> None:
        """Reads a blob whole ahead of its file, so that it takes one turn of a thread."""
        data = bytearray()
        async with self._reading(ref, 0) as call:
            async for response in call:
                data += response.data
                if len(data) > ref.size_bytes:
                    raise BlobLostError(_DAMAGED)
        try:
            await self._files.run(lambda: self._place(ref, data, _owner(job_id)))
        except BlobContentError:
            raise BlobLostError(_DAMAGED) from None
        progress()

    def _place(self, ref: BlobRef, data: bytearray, owner: str) -> None:
        self._check_room(ref)
        with self._files.directory.write(ref, owner=owner) as writer:
            writer.write(data)
            writer.place()

    def _check_room(self, ref: BlobRef) -> None:
        if ref.size_bytes > self._files.room():
            raise OSError(errno.ENOSPC, "no room for a blob of a result")

    @asynccontextmanager
    async def _reading(self, ref: BlobRef, offset: int) -> AsyncIterator[_Reading]:
        """Opens a stream of a blob's chunks; raises `BlobLostError` where the executor has no such blob."""
        request = executor_pb2.ReadBlobRequest(sha256=ref.sha256, offset=offset)
        call = self._stub.ReadBlob(request, timeout=_timeout(ref))
        try:
            yield call
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
            raise BlobLostError("The executor has lost a result of the job.") from None
        finally:
            call.cancel()


async def _each(work: Callable[[BlobRef], Awaitable[None]], refs: Sequence[BlobRef]) -> None:
    """Does ``work`` for each, some at a time; raises the first error, when the others have been ended."""
    rest = iter(refs)

    async def go_on() -> None:
        for ref in rest:
            await work(ref)

    tasks = [asyncio.create_task(go_on()) for _ in range(min(_AT_ONCE, len(refs)))]
    try:
        # Not a TaskGroup, which may drop a cancellation that comes together with an error.
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await unbroken(asyncio.gather(*tasks, return_exceptions=True))


def _owner(job_id: str) -> str:
    # Each job for itself: two that bring the same blob do not wait for each other.
    return f"job {job_id}"


def _check(ref: BlobRef) -> None:
    try:
        check_blob_ref(ref)
    except ValueBoundsError:
        raise BlobLostError("The executor named a blob that cannot exist.") from None


def _timeout(ref: BlobRef) -> float:
    return _CALL_SECONDS + ref.size_bytes / _SLOWEST_BYTES_PER_SECOND
