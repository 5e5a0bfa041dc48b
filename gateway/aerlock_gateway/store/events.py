"""The one table of events: appending to it and reading it page by page."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aerlock_gateway.store.job_tables import KEPT

TERMINAL = 6
"""The kind under which a terminal state change is stored; the other kinds are those of EventKind."""

LARGEST_PAGE = 1024 * 1024
"""Bytes of events in one page; an event that is larger is a page by itself."""

_ROWS_SCANNED = 16_384
# Of a deleted job only the end is told, to those who follow it.
_VISIBLE = f" AND ({KEPT} OR kind = {TERMINAL})"
_INSERT = "INSERT INTO events (job, sequence, kind, encoded) VALUES "

EventRow = tuple[int, int, int, bytes]
"""job, sequence, kind, encoded."""


@dataclass(frozen=True, slots=True)
class Page:
    """Events of one job."""

    encoded: list[bytes]
    # The highest sequence looked at.
    scanned: int
    # Whether nothing follows that is committed by now.
    caught_up: bool
    # Whether the terminal event is in it, or was before it.
    ended: bool


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive events of one job, out of the events of many."""

    job_id: str
    encoded: list[bytes]


def append(connection: sqlite3.Connection, rows: Sequence[EventRow]) -> None:
    """Inserts the rows, in their order."""
    start = 0
    # One statement for many rows: every step of a statement gives up the GIL, and
    # getting it back from a busy event loop takes longer than the insert.
    for size in (256, 64, 16, 4, 1):
        statement = _INSERT + ",".join(["(?,?,?,?)"] * size)
        while len(rows) - start >= size:
            chunk = rows[start : start + size]
            connection.execute(statement, [value for row in chunk for value in row])
            start += size


def page_of_job(connection: sqlite3.Connection, job: int, after: int, kinds: frozenset[int]) -> Page | None:
    """Returns events of ``job`` with a sequence above ``after``; no ``kinds`` means all of them.

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
    limit = min(last, after + _ROWS_SCANNED)
    rows = connection.execute(
        f"SELECT sequence, encoded FROM events WHERE job = ? AND sequence > ? AND sequence <= ?{_only(kinds)}"  # noqa: S608
        " ORDER BY sequence",
        (job, after, limit),
    )
    encoded: list[bytes] = []
    scanned = max(limit, after)
    size = 0
    for sequence, event in rows:
        size += len(event)
        if size > LARGEST_PAGE and encoded:
            scanned = sequence - 1
            break
        encoded.append(event)
    caught_up = scanned >= last
    return Page(encoded, scanned, caught_up, caught_up and last_kind == TERMINAL)


def page_of_owner(
    connection: sqlite3.Connection, owner: str | None, after: int, kinds: frozenset[int]
) -> tuple[list[Run], int, bool]:
    """Returns runs of events after a cursor, the new one, and whether it is the end; no owner means all."""
    last = last_cursor(connection)
    limit = min(last, after + _ROWS_SCANNED)
    condition, values = ("", []) if owner is None else (" AND owner = ?", [owner])
    rows = connection.execute(
        "SELECT events.id, job_id, encoded FROM events JOIN jobs ON jobs.id = events.job"  # noqa: S608
        f" WHERE events.id > ? AND events.id <= ?{_only(kinds)}{condition}{_VISIBLE} ORDER BY events.id",
        (after, limit, *values),
    )
    runs, cursor = _gather(rows, limit)
    return runs, cursor, cursor >= last


def last_cursor(connection: sqlite3.Connection) -> int:
    """Returns the highest id that an event has ever had."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


def _gather(rows: Iterator[tuple[int, str, bytes]], limit: int) -> tuple[list[Run], int]:
    runs: list[Run] = []
    size = 0
    for number, job_id, event in rows:
        # 64 bytes: what an entry needs besides its events.
        size += len(event) + 64
        if size > LARGEST_PAGE and runs:
            return runs, number - 1
        if not runs or runs[-1].job_id != job_id:
            runs.append(Run(job_id, []))
        runs[-1].encoded.append(event)
    return runs, limit


def _only(kinds: frozenset[int]) -> str:
    """Returns the condition for these kinds; they are numbers, so they can stand in the statement."""
    if not kinds:
        return ""
    return f" AND kind IN ({','.join(str(int(kind)) for kind in sorted(kinds | {TERMINAL}))})"
