"""Large values: who may see which, and reading and finding them."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Sequence
from functools import partial
from itertools import compress
from typing import Final

from aerlock.blob_directory import BlobDirectory
from aerlock.codec.bounds import MAX_BLOBS, ValueBoundsError, check_blob_ref, check_value
from aerlock.v1.blobs_pb2 import MissingBlob, ReadBlobRequest
from aerlock.v1.values_pb2 import BlobRef, MapValue
from aerlock_gateway.core import clock
from aerlock_gateway.core.access import Account, Action, allowed
from aerlock_gateway.core.blob_files import BlobFiles
from aerlock_gateway.core.bounds import MOST_VIOLATIONS
from aerlock_gateway.core.inputs import input_field
from aerlock_gateway.core.streams import Streams
from aerlock_gateway.errors import (
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    UnavailableError,
    Violation,
)
from aerlock_gateway.store import blobs
from aerlock_gateway.store.database import Database

logger = logging.getLogger(__name__)

UPLOAD_LIFETIME: Final = clock.DAY
"""How long what no job refers to is kept."""

# An upload that is older becomes young again when its account asks for it.
_FRESH: Final = clock.DAY // 24
_SWEEP_SECONDS: Final = 3600.0
_READS: Final = 16
_ALL_READS: Final = 64


class Blobs:
    """What accounts see of the blobs; a blob that an account may not see is one that does not exist."""

    def __init__(self, database: Database, files: BlobFiles) -> None:
        self._database = database
        self._files = files
        self._reads = Streams(_READS, _ALL_READS)

    async def find_missing(self, account: str, refs: Sequence[BlobRef]) -> list[MissingBlob]:
        """Returns those that the account must write, with what is kept of each.

        Raises `InvalidArgumentError`.
        """
        _check_refs(refs)
        missing = await self.missing(account, refs)
        kept = self._files.directory.written_bytes
        return await self._files.run(
            lambda: [MissingBlob(blob=ref, written_bytes=kept(ref, account)) for ref in missing]
        )

    async def missing(self, account: str, refs: Sequence[BlobRef]) -> list[BlobRef]:
        """Returns those that the account does not see in the size that the refs say.

        Uploads among the others stay for a while from now on: whoever asks is about to refer to them.
        """
        now = clock.now()

        def look_up(connection: sqlite3.Connection) -> tuple[list[bool], list[bytes]]:
            visible = [is_visible(connection, account, ref) for ref in refs]
            old = [
                digest(ref)
                for ref in compress(refs, visible)
                if blobs.is_upload_older(connection, account, digest(ref), now - _FRESH)
            ]
            return visible, old

        visible, old = await self._database.read(look_up)
        if old:
            await self._database.write(lambda connection: blobs.touch_uploads(connection, account, old, now))
        # A row without its file, as after a restored backup: the blob is simply missing.
        has = self._files.directory.has
        return await self._files.run(
            lambda: [ref for ref, seen in zip(refs, visible, strict=True) if not (seen and has(ref))]
        )

    async def read(self, caller: Account, request: ReadBlobRequest) -> AsyncIterator[bytes]:
        """Yields a blob in chunks; raises `NotFoundError`, `OutOfRangeError` and `ExhaustedError`."""
        with self._reads.opened(caller.name):
            size = await self._visible_size(caller, request.sha256)
            if not 0 <= request.offset <= size:
                raise OutOfRangeError(f"offset must be from 0 to {size}, the size of the blob")
            try:
                async for chunk in self._files.read(request.sha256, request.offset):
                    yield chunk
            except FileNotFoundError:
                raise _not_found() from None

    async def _visible_size(self, caller: Account, sha256: str) -> int:
        try:
            check_blob_ref(BlobRef(sha256=sha256, size_bytes=1))
        except ValueBoundsError:
            raise _not_found() from None
        # Who sees every job sees what they refer to.
        of_any_job = allowed(Action.SEE_JOB, caller.role)
        size = await self._database.read(
            lambda connection: blobs.visible_size(connection, caller.name, bytes.fromhex(sha256), of_any_job)
        )
        if size is None:
            raise _not_found()
        return size

    async def sweep(self) -> None:
        """Forgets uploads that no job has referred to for a day, and deletes what nothing refers to."""
        now = clock.now()
        before, after = now - UPLOAD_LIFETIME, now + UPLOAD_LIFETIME
        directory = self._files.directory
        await self._database.write(lambda connection: blobs.expire_uploads(connection, before, after))
        unreferred = await self._database.read(blobs.unreferred)
        # A gateway that was killed may have left a file whose row it had not written yet.
        old = await self._files.run(lambda: directory.digests(before / clock.SECOND))
        for first in range(0, len(old), MAX_BLOBS):
            unreferred += await self._database.read(partial(_unknown, old[first : first + MAX_BLOBS]))
        for sha256 in unreferred:
            await self._database.write(partial(self._delete, sha256=sha256))
        await self._files.run(lambda: directory.delete_partials(before / clock.SECOND))

    async def keep_swept(self) -> None:
        """Sweeps now and then, without end."""
        while True:
            try:
                await self.sweep()
            except (sqlite3.OperationalError, OSError) as error:
                logger.error("old blobs cannot be deleted, trying again later: %s", error)
            await asyncio.sleep(_SWEEP_SECONDS)

    def _delete(self, connection: sqlite3.Connection, sha256: bytes) -> None:
        # In the one thread that also commits new rows: see `record`.
        if blobs.delete_unreferred(connection, sha256):
            self._files.directory.delete(sha256.hex())


def digest(ref: BlobRef) -> bytes:
    """Returns the digest as the database has it, of a ref that is of its form."""
    return bytes.fromhex(ref.sha256)


def is_visible(connection: sqlite3.Connection, account: str, ref: BlobRef) -> bool:
    """Returns whether the account sees this blob, and it has this size."""
    return blobs.visible_size(connection, account, digest(ref)) == ref.size_bytes


def record(connection: sqlite3.Connection, directory: BlobDirectory, refs: Sequence[BlobRef]) -> None:
    """Says in the database that blobs are there, whose files have just been written.

    Raises `UnavailableError` where a file has been deleted meanwhile, since
    nothing referred to it yet.
    """
    for ref in refs:
        if not directory.has(ref):
            raise UnavailableError("the blob has just been deleted; write it again", retry_seconds=1)
        blobs.insert(connection, digest(ref), ref.size_bytes, clock.now())


def check_visible(
    connection: sqlite3.Connection, account: str, inputs: MapValue, refs: Sequence[BlobRef]
) -> None:
    """Raises `InvalidArgumentError` that names the inputs whose blobs the account does not have."""
    unknown = {ref.sha256 for ref in refs if not is_visible(connection, account, ref)}
    if unknown:
        raise InvalidArgumentError.of(_unknown_inputs(inputs, unknown), reason="BLOB_NOT_FOUND")


def _unknown_inputs(inputs: MapValue, unknown: set[str]) -> list[Violation]:
    return [
        Violation(
            input_field(entry.key),
            f"the blob {ref.sha256} of {ref.size_bytes:,} bytes is not here: write it with"
            " BlobService.WriteBlob first, as the Python client does by itself",
        )
        for entry in inputs.entries
        for ref in check_value(entry.value, 0)
        if ref.sha256 in unknown
    ][:MOST_VIOLATIONS]


def _unknown(digests: Sequence[str], connection: sqlite3.Connection) -> list[bytes]:
    return [sha256 for sha256 in map(bytes.fromhex, digests) if not blobs.exists(connection, sha256)]


def _check_refs(refs: Sequence[BlobRef]) -> None:
    if len(refs) > MAX_BLOBS:
        raise InvalidArgumentError.of(
            [Violation("blobs", f"are {len(refs):,}; ask for {MAX_BLOBS:,} at a time")]
        )
    violations = []
    for number, ref in enumerate(refs):
        try:
            check_blob_ref(ref)
        except ValueBoundsError as error:
            violations.append(Violation(f"blobs[{number}]", str(error)))
    if violations:
        raise InvalidArgumentError.of(violations[:MOST_VIOLATIONS])


def _not_found() -> NotFoundError:
    return NotFoundError("there is no such blob", reason="BLOB_NOT_FOUND")
