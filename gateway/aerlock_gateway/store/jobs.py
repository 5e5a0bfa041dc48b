"""Job rows: the projection of each job's events."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from aerlock_gateway.store.job_tables import HELD, KEPT

# The statements are put together from constants of this file.
# ruff: noqa: S608

_HEAD = "id, job_id, owner, state, last_sequence, last_offset"
COLUMNS = (
    "id, job_id, owner, program_id, program_revision, backend_name, state, last_sequence, last_offset,"
    " isolation_tier, create_time, start_time, first_output_time, end_time, options, tags, failure, usage"
)
"""The columns that `JobRow` takes, in its order."""

# What a job takes on the disk besides its inputs, outputs and blobs: its row, its first and its last event.
_SMALLEST_JOB = 1024


@dataclass(frozen=True, slots=True)
class JobRow:
    """One row; times are nanoseconds since 1970, options, failure and usage encoded messages, tags JSON."""

    id: int
    job_id: str
    owner: str
    program_id: str
    program_revision: int
    backend_name: str
    state: int
    last_sequence: int
    last_offset: int
    isolation_tier: str
    create_time: int
    start_time: int | None
    first_output_time: int | None
    end_time: int | None
    options: bytes
    tags: str
    failure: bytes | None
    usage: bytes | None


@dataclass(slots=True)
class Head:
    """What appending to a job's log needs to know of it."""

    id: int
    job_id: str
    owner: str
    state: int
    last_sequence: int
    last_offset: int


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a job is made of before it has any event."""

    job_id: str
    owner: str
    program_id: str
    program_revision: int
    backend_name: str
    options: bytes
    tags: Sequence[str]
    inputs: bytes


def insert(connection: sqlite3.Connection, job: NewJob, turn: int, now: int) -> Head:
    """Creates the row; the caller appends the first event in the same transaction."""
    cursor = connection.execute(
        "INSERT INTO jobs (job_id, owner, program_id, program_revision, backend_name, state, last_sequence,"
        " last_offset, isolation_tier, create_time, options, tags, turn, stored_bytes)"
        " VALUES (?, ?, ?, ?, ?, 0, 0, 0, '', ?, ?, ?, ?, ?)",
        (
            *(job.job_id, job.owner, job.program_id, job.program_revision, job.backend_name),
            *(now, job.options, _to_json(job.tags), turn, len(job.inputs) + _SMALLEST_JOB),
        ),
    )
    number = cursor.lastrowid
    assert number is not None  # noqa: S101
    connection.execute("INSERT INTO job_inputs (job, inputs) VALUES (?, ?)", (number, job.inputs))
    _insert_tags(connection, number, job.tags)
    return Head(number, job.job_id, job.owner, 0, 0, 0)


def find(connection: sqlite3.Connection, job_id: str, with_deleted: bool = False) -> JobRow | None:
    """Returns the row of a job, or None; a deleted one is there until nothing of it is left."""
    condition = "" if with_deleted else f" AND {KEPT}"
    row = connection.execute(f"SELECT {COLUMNS} FROM jobs WHERE job_id = ?{condition}", (job_id,)).fetchone()
    return JobRow(*row) if row else None


def inputs(connection: sqlite3.Connection, job: int) -> bytes:
    """Returns the encoded inputs of a job that exists."""
    (encoded,) = connection.execute("SELECT inputs FROM job_inputs WHERE job = ?", (job,)).fetchone()
    return bytes(encoded)


def find_head(connection: sqlite3.Connection, job: int) -> Head:
    """Returns the head of a job that exists."""
    row = connection.execute(f"SELECT {_HEAD} FROM jobs WHERE id = ?", (job,)).fetchone()
    return Head(*row)


def held(connection: sqlite3.Connection) -> list[Head]:
    """Returns the jobs that an executor has, oldest first."""
    return [Head(*row) for row in connection.execute(f"SELECT {_HEAD} FROM jobs WHERE {HELD} ORDER BY id")]


def set_progress(
    connection: sqlite3.Connection, head: Head, first_output_time: int | None, new_bytes: int
) -> None:
    """Writes the head's numbers, and the time of the first output where there is none yet."""
    connection.execute(
        "UPDATE jobs SET last_sequence = ?, last_offset = ?, stored_bytes = stored_bytes + ?,"
        " first_output_time = coalesce(first_output_time, ?) WHERE id = ?",
        (head.last_sequence, head.last_offset, new_bytes, first_output_time, head.id),
    )


def set_started(connection: sqlite3.Connection, head: Head, time: int, isolation_tier: str) -> None:
    """Projects RUNNING."""
    connection.execute(
        "UPDATE jobs SET state = ?, last_sequence = ?, start_time = ?, isolation_tier = ? WHERE id = ?",
        (head.state, head.last_sequence, time, isolation_tier, head.id),
    )


def set_state(connection: sqlite3.Connection, head: Head) -> None:
    """Projects a state change that carries nothing else."""
    connection.execute(
        "UPDATE jobs SET state = ?, last_sequence = ? WHERE id = ?", (head.state, head.last_sequence, head.id)
    )


def set_ended(
    connection: sqlite3.Connection, head: Head, time: int, failure: bytes | None, usage: bytes | None
) -> None:
    """Projects the terminal event."""
    connection.execute(
        "UPDATE jobs SET state = ?, last_sequence = ?, last_offset = ?, end_time = ?, failure = ?, usage = ?"
        " WHERE id = ?",
        (head.state, head.last_sequence, head.last_offset, time, failure, usage, head.id),
    )


def set_tags(connection: sqlite3.Connection, job: int, tags: Sequence[str]) -> None:
    """Gives a job these tags in place of those that it has."""
    connection.execute("UPDATE jobs SET tags = ? WHERE id = ?", (_to_json(tags), job))
    connection.execute("DELETE FROM job_tags WHERE job = ?", (job,))
    _insert_tags(connection, job, tags)


def _insert_tags(connection: sqlite3.Connection, job: int, tags: Sequence[str]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO job_tags (job, tag, owner, create_time)"
        " SELECT id, ?, owner, create_time FROM jobs WHERE id = ?",
        [(tag, job) for tag in tags],
    )


def _to_json(tags: Sequence[str]) -> str:
    return json.dumps(list(tags), ensure_ascii=False)
