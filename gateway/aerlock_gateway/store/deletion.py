"""Deleting jobs: hidden in one step, then taken from the disk piece by piece."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from aerlock_gateway.store.job_tables import KEPT

# What one transaction deletes: a few milliseconds, whatever the events are.
_ROWS: Final = 256
_BYTES: Final = 1 << 20
_ROWS_OF_A_JOB: Final = 16
_PAGES: Final = 256

# The statements are put together from constants of this file.
# ruff: noqa: S608


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that has ended and is kept; ``end_time`` is in nanoseconds since 1970."""

    id: int
    job_id: str
    end_time: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Kept:
    """How many jobs have ended and are kept, of how many bytes, and how many were deleted by then."""

    count: int
    size: int
    deleted: int


def hide(connection: sqlite3.Connection, job: int, purge_time: int) -> None:
    """Takes a job out of every list; what is left of it may go at ``purge_time``, if it has ended by then."""
    connection.execute("UPDATE jobs SET purge_time = ? WHERE id = ?", (purge_time, job))
    connection.execute("DELETE FROM job_tags WHERE job = ?", (job,))


def postpone(connection: sqlite3.Connection, job: int, purge_time: int) -> None:
    """Keeps what is left of a job until ``purge_time``, if it is deleted."""
    connection.execute(
        "UPDATE jobs SET purge_time = ? WHERE id = ? AND purge_time IS NOT NULL", (purge_time, job)
    )


def purge_some(connection: sqlite3.Connection, now: int) -> bool:
    """Deletes some of what is left of the jobs whose purge time has come; False once nothing is."""
    room = _ROWS
    while room > 0:
        row = connection.execute(
            "SELECT id FROM jobs WHERE purge_time <= ? AND state > 3 ORDER BY purge_time LIMIT 1", (now,)
        ).fetchone()
        if row is None:
            return False
        room -= _delete_events(connection, row[0], room) or _delete_rest(connection, row[0])
    return True


def _delete_events(connection: sqlite3.Connection, job: int, room: int) -> int:
    """Deletes the newest events of a job and returns how much of the room that took; 0 if there are none.

    The last event goes first, by which readers know that the log is no longer whole.
    """
    rows = connection.execute(
        "SELECT id, length(encoded) FROM events WHERE job = ? ORDER BY sequence DESC LIMIT ?", (job, room)
    )
    size = count = 0
    for number, length in rows.fetchall():
        connection.execute("DELETE FROM events WHERE id = ?", (number,))
        size, count = size + length, count + 1
        if size > _BYTES:
            return room
    return count


def _delete_rest(connection: sqlite3.Connection, job: int) -> int:
    for table in ("job_inputs", "job_blobs"):
        connection.execute(f"DELETE FROM {table} WHERE job = ?", (job,))
    connection.execute("DELETE FROM jobs WHERE id = ?", (job,))
    return _ROWS_OF_A_JOB


def give_back(connection: sqlite3.Connection, spare: int) -> bool:
    """Gives some pages that nothing uses back to the file system; False once only ``spare`` are left."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free <= spare:
        return False
    for _ in range(min(_PAGES, free - spare)):
        # One each: the module sqlite3 stops this statement after its first step.
        connection.execute("PRAGMA incremental_vacuum(1)")
    return True


def count_kept(connection: sqlite3.Connection) -> Kept:
    """Counts the jobs that have ended and are kept."""
    count, size = connection.execute(
        f"SELECT count(*), coalesce(sum(stored_bytes), 0) FROM jobs INDEXED BY jobs_ended"
        f" WHERE {KEPT} AND state > 3"
    ).fetchone()
    return Kept(int(count), int(size), count_deleted(connection))


def count_deleted(connection: sqlite3.Connection) -> int:
    """Returns how many jobs are deleted of which something is left."""
    (number,) = connection.execute("SELECT count(*) FROM jobs WHERE purge_time IS NOT NULL").fetchone()
    return int(number)


def oldest_ended(connection: sqlite3.Connection, limit: int) -> list[EndedJob]:
    """Returns the jobs that have ended first, of those that are kept."""
    rows = connection.execute(
        f"SELECT id, job_id, end_time, stored_bytes FROM jobs WHERE {KEPT} AND state > 3"
        " ORDER BY end_time LIMIT ?",
        (limit,),
    )
    return [EndedJob(*row) for row in rows]
