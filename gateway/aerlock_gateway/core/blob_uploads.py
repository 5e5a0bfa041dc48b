"""Taking in the blobs that accounts write: checked, within bounds, durable before they count."""

import asyncio
import errno
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from aerlock.blob_directory import (
    CHUNK_BYTES,
    BlobBusyError,
    BlobContentError,
    BlobOffsetError,
    BlobWriter,
)
from aerlock.codec.bounds import ValueBoundsError, check_blob_ref
from aerlock.v1.blobs_pb2 import WriteBlobRequest
from aerlock.v1.values_pb2 import BlobRef
from aerlock_gateway.core import clock
from aerlock_gateway.core.blob_files import BlobFiles, unbroken
from aerlock_gateway.core.blobs import Blobs, digest, record
from aerlock_gateway.core.streams import Streams
from aerlock_gateway.errors import (
    AbortedError,
    ExhaustedError,
    InvalidArgumentError,
    OutOfRangeError,
    Violation,
)
from aerlock_gateway.store import blobs
from aerlock_gateway.store.database import Database

# What gRPC holds of a stream ahead of its reader is some ten chunks.
_WRITES: Final = 8
_ALL_WRITES: Final = 32
_RETRY_SECONDS: Final = 5.0
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What the gateway's settings bound, and how long a writer may be silent."""

    max_blob_bytes: int
    max_upload_bytes: int
    idle_seconds: float = 60.0


class BlobUploads:
    """Writes blobs. What a stream that broke has brought is kept, and belongs to its account."""

    def __init__(self, database: Database, files: BlobFiles, visible: Blobs, limits: UploadLimits) -> None:
        self._database = database
        self._files = files
        self._blobs = visible
        self._limits = limits
        self._writes = Streams(_WRITES, _ALL_WRITES)
        self._writing: dict[tuple[str, bytes], int] = {}

    async def write(self, account: str, requests: AsyncIterator[WriteBlobRequest]) -> int:
        """Takes one stream of WriteBlob; returns how many of the blob's first bytes are kept.

        Raises `InvalidArgumentError`, `OutOfRangeError`, `AbortedError` and `ExhaustedError`.
        """
        with self._writes.opened(account):
            first = await self._next(requests) or WriteBlobRequest()
            self._check_first(first)
            if not await self._blobs.missing(account, [first.blob]):
                return first.blob.size_bytes
            with _told_apart(), self._alone(account, first.blob):
                await self._check_room(account)
                return await self._write(account, first, requests)

    async def _write(
        self, account: str, first: WriteBlobRequest, requests: AsyncIterator[WriteBlobRequest]
    ) -> int:
        blob = first.blob

        def keep(connection: sqlite3.Connection) -> None:
            blobs.insert_partial_upload(connection, account, digest(blob), writer.written, clock.now())

        def forget(connection: sqlite3.Connection) -> None:
            blobs.delete_upload(connection, account, digest(blob))

        async with self._files.writer(blob, first.offset, account) as writer:
            try:
                await self._receive(writer, first, requests)
                if writer.is_whole:
                    # Also for a caller that goes away now: all of it is here.
                    await unbroken(self._finish(account, blob, writer))
                else:
                    await self._database.write(keep)
            except BlobContentError:
                await self._database.write(forget)
                raise
            except BaseException:
                await self._database.write(keep)
                raise
            return writer.written

    async def _finish(self, account: str, blob: BlobRef, writer: BlobWriter) -> None:
        await self._files.run(writer.finish)
        await self._database.write(partial(self._commit, account=account, blob=blob))

    def _commit(self, connection: sqlite3.Connection, account: str, blob: BlobRef) -> None:
        record(connection, self._files.directory, [blob])
        blobs.insert_upload(connection, account, digest(blob), blob.size_bytes, clock.now())

    async def _receive(
        self, writer: BlobWriter, first: WriteBlobRequest, requests: AsyncIterator[WriteBlobRequest]
    ) -> None:
        data = first.data
        while True:
            _check_length(data)
            if data:
                await self._files.run(partial(writer.write, data))
            following = await self._next(requests)
            if following is None:
                return
            if following.HasField("blob") or following.offset:
                raise InvalidArgumentError.of([Violation("blob", "and offset belong into the first message")])
            data = following.data

    async def _next(self, requests: AsyncIterator[WriteBlobRequest]) -> WriteBlobRequest | None:
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                return await anext(requests, None)
        except TimeoutError:
            raise AbortedError(
                f"nothing came for {self._limits.idle_seconds:g} s; what had come is kept, and"
                " FindMissingBlobs says how much it is",
                reason="BLOB_IDLE",
            ) from None

    def _check_first(self, first: WriteBlobRequest) -> None:
        try:
            check_blob_ref(first.blob)
        except ValueBoundsError as error:
            sentence = f"{error}; the first message names the blob that follows"
            raise InvalidArgumentError.of([Violation("blob", sentence)]) from None
        if first.blob.size_bytes > self._limits.max_blob_bytes:
            sentence = (
                f"is {first.blob.size_bytes:,}; this server takes up to {self._limits.max_blob_bytes:,}: send"
                " it in several values"
            )
            raise InvalidArgumentError.of([Violation("blob.size_bytes", sentence)])

    @contextmanager
    def _alone(self, account: str, blob: BlobRef) -> Iterator[None]:
        """Keeps a second stream of the account away from a blob."""
        key = account, digest(blob)
        if key in self._writing:
            raise BlobBusyError
        self._writing[key] = blob.size_bytes
        try:
            yield
        finally:
            del self._writing[key]

    async def _check_room(self, account: str) -> None:
        """Raises `ExhaustedError` where what is being written is too much for the account or for the disk."""
        own = {sha256: size for (name, sha256), size in self._writing.items() if name == account}
        others = await self._database.read(
            lambda connection: blobs.uploaded_bytes(connection, account, list(own))
        )
        most = self._limits.max_upload_bytes
        if others + sum(own.values()) > most:
            raise ExhaustedError(
                f"the blobs that this account has written and no job refers to yet would take"
                f" {others + sum(own.values()):,} bytes, of at most {most:,}: run the programs that they are"
                " for, or wait: after a day without use they are deleted",
                reason="UPLOADS_FULL",
            )
        if sum(self._writing.values()) > await self._files.run(self._files.room):
            raise _disk_full()


@contextmanager
def _told_apart() -> Iterator[None]:
    """Says to the caller what stopped the writing."""
    try:
        yield
    except BlobBusyError:
        raise AbortedError(
            "another call of this account is writing the blob; try again later", retry_seconds=_RETRY_SECONDS
        ) from None
    except BlobOffsetError as error:
        raise OutOfRangeError(str(error)) from None
    except BlobContentError as error:
        violation = Violation("data", f"{error}; write it again from offset 0")
        raise InvalidArgumentError.of([violation], reason="BLOB_DIGEST_MISMATCH") from None
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise _disk_full() from None


def _disk_full() -> ExhaustedError:
    return ExhaustedError(
        "the disk of the server is full; what had come is kept, go on when there is room",
        reason="DISK_FULL",
        retry_seconds=_RETRY_SECONDS,
    )


def _check_length(data: bytes) -> None:
    if len(data) > CHUNK_BYTES:
        sentence = f"has {len(data):,} bytes; send at most {CHUNK_BYTES:,} in one message"
        raise InvalidArgumentError.of([Violation("data", sentence)])
