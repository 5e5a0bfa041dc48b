"""The one table of events: appending to it and reading it page by page.

A row holds consecutive events of one job and one kind, under the sequence of the
last of them. So a flood of small events costs a row for every 64 KiB, and not for
every event: each step of a statement gives up the GIL, and getting it back from a
busy event loop takes longer than the step.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aerlock.v1.jobs_pb2 import WatchJobResponse
from aerlock_gateway.store.job_tables import KEPT

TERMINAL = 6
"""The kind under which a terminal state change is stored; the other kinds are those of EventKind."""

LARGEST_PAGE = 1024 * 1024
"""Bytes of events in one page; a row that is larger is a page by itself."""

LARGEST_ROW = 64 * 1024
"""Bytes of events that share a row; an event that is larger has a row to itself."""

_ROWS_SCANNED = 16_384
# Of a deleted job only the end is told, to those who follow it.
_VISIBLE = f" AND ({KEPT} OR kind = {TERMINAL})"
_INSERT = "INSERT INTO events (job, sequence, kind, encoded) VALUES "

EventRow = tuple[int, int, int, bytes]
"""job, sequence of the last event, kind, the joined events as `core.encoding` encodes them."""


@dataclass(frozen=True, slots=True)
class Page:
    """Events of one job, row by row."""

    encoded: list[bytes]
    # The highest sequence looked at.
    scanned: int
    # Whether nothing follows that is committed by now.
    caught_up: bool
    # Whether the terminal event is in it, or was before it.
    ended: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """Consecutive events of one job, out of the events of many."""

    job_id: str
    encoded: list[bytes]


def append(connection: sqlite3.Connection, rows: Sequence[EventRow]) -> None:
    """Inserts the rows, in their order."""
    start = 0
    for size in (256, 64, 16, 4, 1):
        statement = _INSERT + ",".join(["(?,?,?,?)"] * size)
        while len(rows) - start >= size:
            chunk = rows[start : start + size]
            connection.execute(statement, [value for row in chunk for value in row])
            start += size


class RowBuilder:
    """Puts the events of a job into rows."""

    def __init__(self, job: int) -> None:
        self.size = 0
        """Bytes of all that was added."""
        self._job = job
        self._rows: list[EventRow] = []
        self._encoded: list[bytes] = []
        self._size = self._sequence = self._kind = 0

    def add(self, sequence: int, kind: int, encoded: bytes) -> None:
        """Adds the next event."""
        if kind != self._kind or self._size + len(encoded) > LARGEST_ROW:
            self.finish()
        self._encoded.append(encoded)
        self._size += len(encoded)
        self.size += len(encoded)
        self._sequence, self._kind = sequence, kind

    def finish(self) -> Sequence[EventRow]:
        """Returns the rows of all that was added."""
        if self._encoded:
            self._rows.append((self._job, self._sequence, self._kind, b"".join(self._encoded)))
            self._encoded, self._size = [], 0
        return self._rows


def page_of_job(
    connection: sqlite3.Connection, job: int, after: int, kinds: frozenset[int], size: int = LARGEST_PAGE
) -> Page | None:
    """Returns about ``size`` bytes of the events above ``after``; no ``kinds`` means all of them.

    Returns None where the job was deleted and its log is no longer whole.
    """
    newest = connection.execute(
        "SELECT sequence, kind FROM events"
        " WHERE job = ?1 AND sequence = (SELECT last_sequence FROM jobs WHERE id = ?1)",
        (job,),
    ).fetchone()
    if newest is None:
        return None
    last, last_kind = newest
    encoded, scanned = _rows_of_job(connection, job, after, kinds, size)
    caught_up = scanned >= last
    return Page(encoded, scanned, caught_up, caught_up and last_kind == TERMINAL)


def _rows_of_job(
    connection: sqlite3.Connection, job: int, after: int, kinds: frozenset[int], size: int
) -> tuple[list[bytes], int]:
    """Returns encoded rows and the highest sequence looked at."""
    (limit,) = connection.execute(
        "SELECT coalesce(max(sequence), ?) FROM"
        " (SELECT sequence FROM events WHERE job = ? AND sequence > ? ORDER BY sequence LIMIT ?)",
        (after, job, after, _ROWS_SCANNED),
    ).fetchone()
    rows = connection.execute(
        f"SELECT sequence, encoded FROM events WHERE job = ? AND sequence > ? AND sequence <= ?{_only(kinds)}"  # noqa: S608
        " ORDER BY sequence",
        (job, after, limit),
    )
    encoded: list[bytes] = []
    scanned = after
    for sequence, events in rows:
        if not encoded and not _ends_a_row(connection, job, after):
            events = _last_events(events, sequence - after)
        size -= len(events)
        if size < 0 and encoded:
            return encoded, scanned
        encoded.append(events)
        scanned = sequence
    return encoded, limit


def _ends_a_row(connection: sqlite3.Connection, job: int, sequence: int) -> bool:
    return sequence == 0 or bool(
        connection.execute("SELECT 1 FROM events WHERE job = ? AND sequence = ?", (job, sequence)).fetchone()
    )


def _last_events(events: bytes, count: int) -> bytes:
    """Returns the last ``count`` events of a row, or all where it has fewer."""
    response = WatchJobResponse.FromString(events)
    del response.events[:-count]
    return response.SerializeToString()


def page_of_owner(
    connection: sqlite3.Connection,
    owner: str | None,
    after: int,
    kinds: frozenset[int],
    size: int = LARGEST_PAGE,
) -> tuple[list[Entry], int, bool]:
    """Returns entries after a cursor, the new one, and whether it is the end; no owner means all."""
    last = last_cursor(connection)
    limit = min(last, after + _ROWS_SCANNED)
    condition, values = ("", []) if owner is None else (" AND owner = ?", [owner])
    rows = connection.execute(
        "SELECT events.id, job_id, encoded FROM events JOIN jobs ON jobs.id = events.job"  # noqa: S608
        f" WHERE events.id > ? AND events.id <= ?{_only(kinds)}{condition}{_VISIBLE} ORDER BY events.id",
        (after, limit, *values),
    )
    entries, cursor = _gather(rows, limit, size)
    return entries, cursor, cursor >= last


def last_cursor(connection: sqlite3.Connection) -> int:
    """Returns the highest id that an event has ever had."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


def _gather(rows: Iterator[tuple[int, str, bytes]], limit: int, size: int) -> tuple[list[Entry], int]:
    entries: list[Entry] = []
    for number, job_id, events in rows:
        # 64 bytes: what an entry needs besides its events.
        size -= len(events) + 64
        if size < 0 and entries:
            return entries, number - 1
        if not entries or entries[-1].job_id != job_id:
            entries.append(Entry(job_id, []))
        entries[-1].encoded.append(events)
    return entries, limit


def _only(kinds: frozenset[int]) -> str:
    """Returns the condition for these kinds; they are numbers, so they can stand in the statement."""
    if not kinds:
        return ""
    return f" AND kind IN ({','.join(str(int(kind)) for kind in sorted(kinds | {TERMINAL}))})"
