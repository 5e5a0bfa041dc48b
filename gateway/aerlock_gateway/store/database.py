"""One SQLite database: a writer thread that commits in groups, and threads that read.

Pages of streams are read by a thread of their own: however many streams there
are, a call waits for calls alone.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from aerlock_gateway.store.schema import migrate

T = TypeVar("T")

_READERS = 2
_LARGEST_GROUP = 1024
_PAGES_AT_ONCE = 16
_KEPT_WAL_BYTES = 16 << 20
_BUSY_SECONDS = 30.0


class Database:
    """All access to the file; made in the event loop that its coroutines run in.

    What arrives while one commit runs forms the next: under load a commit is
    shared by many, and without load nobody waits for a timer.
    """

    def __init__(self, path: Path, busy_seconds: float = _BUSY_SECONDS) -> None:
        """Opens or creates the file and migrates it; raises `SchemaTooNewError` and `sqlite3.Error`.

        ``busy_seconds`` is how long a transaction waits for another process that holds the file.
        """
        self._path = path
        self._busy_seconds = busy_seconds
        self._loop = asyncio.get_running_loop()
        self._connections: list[sqlite3.Connection] = []
        self._local = threading.local()
        connection = self._connect()
        connection.execute("PRAGMA synchronous = FULL")
        # What one large group has made of the WAL would stay.
        connection.execute(f"PRAGMA journal_size_limit = {_KEPT_WAL_BYTES}")
        migrate(connection)
        # After the migrations: auto_vacuum can only be chosen before WAL.
        connection.execute("PRAGMA journal_mode = WAL")
        self._writes: queue.SimpleQueue[_Work[Any] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(
            target=self._write_in_groups, args=(connection,), name="writer", daemon=True
        )
        self._writer.start()
        self._pages: queue.SimpleQueue[_Work[Any] | None] = queue.SimpleQueue()
        self._pager = threading.Thread(target=self._read_pages, name="pager", daemon=True)
        self._pager.start()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reader")

    async def write(
        self, work: Callable[[sqlite3.Connection], T], then: Callable[[T], None] | None = None
    ) -> T:
        """Runs ``work`` in the next transaction and returns its result once that is on disk.

        An exception of ``work`` undoes what ``work`` did, and nothing else.
        ``then`` is called in the event loop with the result after the commit,
        also where the waiting caller has been cancelled meanwhile.
        """
        write = _Work(work, then, self._loop.create_future())
        self._writes.put(write)
        result: T = await write.future
        return result

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs ``work`` on one consistent snapshot of what is committed."""
        return await self._loop.run_in_executor(self._readers, self._read, work)

    async def read_page(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does what `read` does for a stream: behind the pages of other streams, and ahead of no call."""
        read = _Work(work, None, self._loop.create_future())
        self._pages.put(read)
        result: T = await read.future
        return result

    async def checkpoint(self) -> None:
        """Brings what is committed from the WAL to the file, which shrinks by what was given back."""

        def run() -> None:
            with closing(sqlite3.connect(self._path, timeout=self._busy_seconds)) as connection:
                # PASSIVE: nobody waits for it.
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

        await asyncio.to_thread(run)

    async def close(self) -> None:
        """Commits what is queued and closes the file."""
        self._writes.put(None)
        self._pages.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._pager.join)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._connections:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        self._connections.append(connection)
        return connection

    def _connect_to_read(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect_to_read()
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            connection.execute("COMMIT")

    def _write_in_groups(self, connection: sqlite3.Connection) -> None:
        while group := _next_group(self._writes, _LARGEST_GROUP):
            _commit(connection, group)
            self._loop.call_soon_threadsafe(_resolve, group)

    def _read_pages(self) -> None:
        connection = self._connect_to_read()
        while group := _next_group(self._pages, _PAGES_AT_ONCE):
            _read_together(connection, group)
            self._loop.call_soon_threadsafe(_resolve, group)


@dataclass(slots=True)
class _Work(Generic[T]):
    work: Callable[[sqlite3.Connection], T]
    then: Callable[[T], None] | None
    future: asyncio.Future[T]
    result: T | None = None
    error: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Does the work behind a savepoint; raises only where the whole transaction is gone."""
        connection.execute("SAVEPOINT work")
        try:
            self.result = self.work(connection)
        except Exception as error:
            self.error = error
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")

    def read(self, connection: sqlite3.Connection) -> None:
        """Does work that changes nothing."""
        try:
            self.result = self.work(connection)
        except Exception as error:
            self.error = error

    def resolve(self) -> None:
        """Tells those who wait; runs in the event loop."""
        if self.error is not None:
            if not self.future.done():
                self.future.set_exception(self.error)
            return
        if self.then is not None:
            self.then(self.result)  # type: ignore[arg-type]
        if not self.future.done():
            self.future.set_result(self.result)  # type: ignore[arg-type]


def _next_group(works: "queue.SimpleQueue[_Work[Any] | None]", most: int) -> "list[_Work[Any]]":
    """Waits for work and returns what there is of it by then; nothing at the end."""
    group: list[_Work[Any]] = []
    while not group or (len(group) < most and not works.empty()):
        work = works.get()
        if work is None:
            if group:
                works.put(None)
            break
        group.append(work)
    return group


def _read_together(connection: sqlite3.Connection, group: list[_Work[Any]]) -> None:
    """Reads for several streams on one snapshot, younger than the request of any of them."""
    try:
        connection.execute("BEGIN")
        for read in group:
            if not read.future.done():
                read.read(connection)
        connection.execute("COMMIT")
    except Exception as error:
        for read in group:
            read.error = read.error or error
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


def _commit(connection: sqlite3.Connection, group: list[_Work[Any]]) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
        for write in group:
            write.run(connection)
        connection.execute("COMMIT")
    except Exception as error:
        if connection.in_transaction:
            # Where even that fails, the next transaction fails and tries again: the thread lives on.
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        for write in group:
            write.error = write.error or error


def _resolve(group: list[_Work[Any]]) -> None:
    for work in group:
        work.resolve()
