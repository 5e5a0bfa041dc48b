"""Large values of the gateway on a real database and real files: what is kept, for whom and how long."""

import asyncio
import hashlib
import os
import sqlite3
from contextlib import asynccontextmanager, closing
from types import SimpleNamespace

import pytest
from sqlite_utils import Database as SqliteUtilsDatabase

from aerlock.v1.blobs_pb2 import ReadBlobRequest, WriteBlobRequest
from aerlock.v1.values_pb2 import BlobRef
from aerlock_gateway.core import clock
from aerlock_gateway.core.access import Account, Role
from aerlock_gateway.core.blob_files import BlobFiles
from aerlock_gateway.core.blob_uploads import BlobUploads, UploadLimits
from aerlock_gateway.core.blobs import UPLOAD_LIFETIME, Blobs, digest, record
from aerlock_gateway.errors import AbortedError, InvalidArgumentError, NotFoundError, UnavailableError
from aerlock_gateway.store import blobs, jobs, schema
from aerlock_gateway.store.database import Database

LONG_AGO = 1_000_000_000.0
SOON = 30


@asynccontextmanager
async def opened(folder, idle_seconds=SOON):
    database, files = Database(folder / "test.db"), BlobFiles(folder / "blobs")
    visible = Blobs(database, files)
    uploads = BlobUploads(database, files, visible, UploadLimits(1 << 20, 1 << 20, idle_seconds))
    try:
        yield SimpleNamespace(
            database=database, files=files, blobs=visible, uploads=uploads, folder=folder / "blobs"
        )
    finally:
        files.close()
        await database.close()


def ref_of(data):
    return BlobRef(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


async def write(gateway, data, blob=None, account="alice"):
    async def requests():
        yield WriteBlobRequest(blob=blob or ref_of(data), data=data)

    return await gateway.uploads.write(account, requests())


async def read(gateway, blob, account="alice"):
    request = ReadBlobRequest(sha256=blob.sha256)
    return b"".join([chunk async for chunk in gateway.blobs.read(Account(account, Role.AUTHOR), request)])


async def make_job(gateway, owner, blob, role=blobs.INPUT):
    def work(connection):
        new = jobs.NewJob(os.urandom(4).hex(), owner, "program", 1, "aer_simulator", b"", (), b"")
        head = jobs.insert(connection, new, 1, clock.now())
        blobs.refer(connection, owner, head.id, [digest(blob)], role)

    await gateway.database.write(work)


async def make_old(gateway):
    """Makes everything that is there as old as uploads may get."""
    time = clock.now() - UPLOAD_LIFETIME - 1
    await gateway.database.write(lambda c: c.execute("UPDATE uploads SET time = ?", (time,)))
    for path in gateway.folder.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def files_of(gateway):
    return sorted(path.name for path in gateway.folder.rglob("*") if path.is_file())


async def test_writer_that_sends_nothing_is_sent_away_and_leaves_what_had_come(tmp_path):
    data = os.urandom(1000)

    async def requests():
        yield WriteBlobRequest(blob=ref_of(data), data=data[:400])
        await asyncio.Event().wait()

    async with opened(tmp_path, idle_seconds=0.1) as gateway:
        with pytest.raises(AbortedError) as raised:
            await asyncio.wait_for(gateway.uploads.write("alice", requests()), SOON)
        assert raised.value.reason == "BLOB_IDLE"
        (missing,) = await gateway.blobs.find_missing("alice", [ref_of(data)])
        assert missing.written_bytes == 400
        counted = await gateway.database.read(lambda c: blobs.uploaded_bytes(c, "alice", []))
        assert counted == blobs.SMALLEST_CHARGE


async def test_first_message_that_never_comes_ends_the_stream(tmp_path):
    async def requests():
        await asyncio.Event().wait()
        yield WriteBlobRequest()

    async with opened(tmp_path, idle_seconds=0.1) as gateway:
        with pytest.raises(AbortedError):
            await asyncio.wait_for(gateway.uploads.write("alice", requests()), SOON)


async def test_writer_that_is_cancelled_lets_the_next_go_on(tmp_path):
    data = os.urandom(1000)
    arrived = asyncio.Event()

    async def requests():
        yield WriteBlobRequest(blob=ref_of(data), data=data[:400])
        arrived.set()
        await asyncio.Event().wait()

    async with opened(tmp_path) as gateway:
        writing = asyncio.create_task(gateway.uploads.write("alice", requests()))
        await asyncio.wait_for(arrived.wait(), SOON)
        writing.cancel()
        await asyncio.wait([writing])

        async def rest():
            yield WriteBlobRequest(blob=ref_of(data), offset=400, data=data[400:])

        assert await gateway.uploads.write("alice", rest()) == 1000
        assert await read(gateway, ref_of(data)) == data


async def test_blob_that_had_come_whole_is_there_although_its_writer_went_away(tmp_path):
    data = os.urandom(1000)
    arrived = asyncio.Event()

    async def requests():
        yield WriteBlobRequest(blob=ref_of(data), data=data)
        arrived.set()

    async with opened(tmp_path) as gateway:
        writing = asyncio.create_task(gateway.uploads.write("alice", requests()))
        await asyncio.wait_for(arrived.wait(), SOON)
        writing.cancel()
        await asyncio.wait([writing])
        assert writing.cancelled()
        assert await read(gateway, ref_of(data)) == data


async def test_what_is_discarded_counts_no_more(tmp_path):
    data = os.urandom(1000)
    async with opened(tmp_path) as gateway:
        await write(gateway, data[:400], ref_of(data))
        with pytest.raises(InvalidArgumentError):
            await write(gateway, bytes(1000), ref_of(data))
        assert await gateway.database.read(lambda c: blobs.uploaded_bytes(c, "alice", [])) == 0
        assert files_of(gateway) == []


async def test_blob_of_a_job_is_seen_by_its_owner_and_by_nobody_else(tmp_path):
    data = os.urandom(100)
    async with opened(tmp_path) as gateway:
        await write(gateway, data, account="bob")
        await make_job(gateway, "alice", ref_of(data), blobs.RESULT)
        assert await read(gateway, ref_of(data)) == data
        assert await gateway.blobs.find_missing("alice", [ref_of(data)]) == []
        assert len(await gateway.blobs.find_missing("carol", [ref_of(data)])) == 1
        with pytest.raises(NotFoundError):
            await read(gateway, ref_of(data), "carol")


async def test_blob_in_another_size_is_missing(tmp_path):
    data = os.urandom(100)
    async with opened(tmp_path) as gateway:
        await write(gateway, data)
        other = BlobRef(sha256=ref_of(data).sha256, size_bytes=99)
        (missing,) = await gateway.blobs.find_missing("alice", [ref_of(data), other])
        assert missing.blob == other


async def test_blob_whose_file_is_gone_can_be_written_again(tmp_path):
    data = os.urandom(100)
    async with opened(tmp_path) as gateway:
        await write(gateway, data)
        gateway.files.directory.path(ref_of(data).sha256).unlink()
        with pytest.raises(NotFoundError):
            await read(gateway, ref_of(data))
        assert len(await gateway.blobs.find_missing("alice", [ref_of(data)])) == 1
        await write(gateway, data)
        assert await read(gateway, ref_of(data)) == data


async def test_upload_that_a_job_uses_counts_no_more(tmp_path):
    first, second = os.urandom(600_000), os.urandom(600_000)
    async with opened(tmp_path) as gateway:
        await write(gateway, first)
        await make_job(gateway, "alice", ref_of(first))
        assert await write(gateway, second) == len(second)


async def test_sweep_deletes_old_uploads_and_spares_new_ones_and_those_of_jobs(tmp_path):
    old, used, new = (os.urandom(100) for _ in range(3))
    async with opened(tmp_path) as gateway:
        for data in (old, used):
            await write(gateway, data)
        await write(gateway, b"begun", ref_of(os.urandom(100)))
        await make_job(gateway, "alice", ref_of(used))
        orphan = gateway.files.directory.path("ab" * 32)
        orphan.parent.mkdir(exist_ok=True)
        orphan.write_bytes(b"left by a gateway that was killed")
        await make_old(gateway)
        await write(gateway, new)
        kept = os.urandom(100)
        await write(gateway, kept[:50], ref_of(kept))
        await gateway.blobs.sweep()
        missing = await gateway.blobs.find_missing("alice", [ref_of(data) for data in (old, used, new, kept)])
        assert [(item.blob, item.written_bytes) for item in missing] == [(ref_of(old), 0), (ref_of(kept), 50)]
        assert await read(gateway, ref_of(used)) == used
        assert len(files_of(gateway)) == 3


async def test_sweep_deletes_uploads_from_before_the_clock_was_set_back(tmp_path):
    async with opened(tmp_path) as gateway:
        await write(gateway, b"made in the year of a wrong clock")
        later = "UPDATE uploads SET time = time + 2 * 86400 * 1000000000"
        await gateway.database.write(lambda connection: connection.execute(later).close())
        await gateway.blobs.sweep()
        assert not files_of(gateway)


async def test_upload_that_someone_asked_for_stays(tmp_path):
    data = os.urandom(100)
    async with opened(tmp_path) as gateway:
        await write(gateway, data)
        await make_old(gateway)
        assert await gateway.blobs.find_missing("alice", [ref_of(data)]) == []
        await gateway.blobs.sweep()
        assert await read(gateway, ref_of(data)) == data


async def test_upload_of_two_accounts_stays_until_both_are_old(tmp_path):
    data = os.urandom(100)
    async with opened(tmp_path) as gateway:
        await write(gateway, data, account="bob")
        await make_old(gateway)
        await write(gateway, data)
        await gateway.blobs.sweep()
        assert await read(gateway, ref_of(data)) == data
        assert len(await gateway.blobs.find_missing("bob", [ref_of(data)])) == 1


async def test_blob_that_is_deleted_before_its_row_is_written_is_not_recorded(tmp_path):
    data = os.urandom(100)
    async with opened(tmp_path) as gateway:
        with pytest.raises(UnavailableError):
            await gateway.database.write(lambda c: record(c, gateway.files.directory, [ref_of(data)]))
        assert not await gateway.database.read(lambda c: blobs.exists(c, digest(ref_of(data))))


def test_database_of_the_version_before_is_brought_up_to_date(tmp_path):
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as connection:
        schema._migrations.apply(SqliteUtilsDatabase(connection), stop_before="blobs")
        connection.execute("PRAGMA user_version = 2")
        connection.execute("INSERT INTO accounts VALUES ('alice', 'admin', 1)")
        schema.migrate(connection)
        assert connection.execute("PRAGMA user_version").fetchone() == (schema._newest_version(),)
        assert connection.execute("SELECT name FROM accounts").fetchall() == [("alice",)]
        assert blobs.unreferred(connection) == []
