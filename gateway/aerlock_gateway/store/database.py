"""One SQLite database: a writer thread that commits in groups, and a few threads that read."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from aerlock_gateway.store.schema import migrate

T = TypeVar("T")

_READERS = 2
_LARGEST_GROUP = 1024
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
        self._writes: queue.SimpleQueue[_Write[Any] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(
            target=self._write_in_groups, args=(connection,), name="writer", daemon=True
        )
        self._writer.start()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reader")

    async def write(
        self, work: Callable[[sqlite3.Connection], T], then: Callable[[T], None] | None = None
    ) -> T:
        """Runs ``work`` in the next transaction and returns its result once that is on disk.

        An exception of ``work`` undoes what ``work`` did, and nothing else.
        ``then`` is called in the event loop with the result after the commit,
        also where the waiting caller has been cancelled meanwhile.
        """
        write = _Write(work, then, self._loop.create_future())
        self._writes.put(write)
        result: T = await write.future
        return result

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs ``work`` on one consistent snapshot of what is committed."""
        return await self._loop.run_in_executor(self._readers, self._read, work)

    async def close(self) -> None:
        """Commits what is queued and closes the file."""
        self._writes.put(None)
        await asyncio.to_thread(self._writer.join)
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

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            connection.execute("COMMIT")

    def _write_in_groups(self, connection: sqlite3.Connection) -> None:
        while (first := self._writes.get()) is not None:
            group = [first]
            while len(group) < _LARGEST_GROUP and not self._writes.empty():
                following = self._writes.get()
                if following is None:
                    self._writes.put(None)
                    break
                group.append(following)
            _commit(connection, group)
            self._loop.call_soon_threadsafe(_resolve, group)


@dataclass(slots=True)
class _Write(Generic[T]):
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


def _commit(connection: sqlite3.Connection, group: list[_Write[Any]]) -> None:
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


def _resolve(group: list[_Write[Any]]) -> None:
    for write in group:
        write.resolve()
