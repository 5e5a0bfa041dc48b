"""Job rows: the projection of each job's events."""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

QUEUED = 1
"""The number of JOB_STATE_QUEUED. Up to 3, CANCELLING, states are those of jobs that need something."""

# The statements are put together from constants of this file.
# ruff: noqa: S608

_HEAD = "id, job_id, owner, state, last_sequence, last_offset"
_COLUMNS = (
    "id, job_id, owner, program_id, program_revision, backend_name, state, last_sequence, last_offset,"
    " isolation_tier, create_time, start_time, first_output_time, end_time, options, tags, failure, usage"
)


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
    queue_position: int | None = None


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
    tags: str
    inputs: bytes


_QUEUE_POSITION = (
    f"CASE state WHEN {QUEUED} THEN"
    f" (SELECT count(*) FROM jobs AS ahead WHERE ahead.state = {QUEUED} AND ahead.id < jobs.id) END"
)


def insert(connection: sqlite3.Connection, job: NewJob, now: int) -> Head:
    """Creates the row; the caller appends the first event in the same transaction."""
    cursor = connection.execute(
        "INSERT INTO jobs (job_id, owner, program_id, program_revision, backend_name, state, last_sequence,"
        " last_offset, isolation_tier, create_time, options, tags)"
        " VALUES (?, ?, ?, ?, ?, 0, 0, 0, '', ?, ?, ?)",
        (
            *(job.job_id, job.owner, job.program_id, job.program_revision, job.backend_name),
            *(now, job.options, job.tags),
        ),
    )
    number = cursor.lastrowid
    assert number is not None  # noqa: S101
    connection.execute("INSERT INTO job_inputs (job, inputs) VALUES (?, ?)", (number, job.inputs))
    return Head(number, job.job_id, job.owner, 0, 0, 0)


def find(connection: sqlite3.Connection, job_id: str) -> JobRow | None:
    """Returns the row of a job, or None."""
    row = connection.execute(
        f"SELECT {_COLUMNS}, {_QUEUE_POSITION} FROM jobs WHERE job_id = ?", (job_id,)
    ).fetchone()
    return JobRow(*row) if row else None


def page(connection: sqlite3.Connection, owner: str | None, before: int, limit: int) -> list[JobRow]:
    """Returns the jobs of an account, or of all, with an id below ``before``, newest first."""
    condition, values = ("", []) if owner is None else ("owner = ? AND ", [owner])
    rows = connection.execute(
        f"SELECT {_COLUMNS}, {_QUEUE_POSITION} FROM jobs WHERE {condition}id < ? ORDER BY id DESC LIMIT ?",
        (*values, before, limit),
    )
    return [JobRow(*row) for row in rows]


def inputs(connection: sqlite3.Connection, job: int) -> bytes:
    """Returns the encoded inputs of a job that exists."""
    (encoded,) = connection.execute("SELECT inputs FROM job_inputs WHERE job = ?", (job,)).fetchone()
    return bytes(encoded)


def find_head(connection: sqlite3.Connection, job: int) -> Head:
    """Returns the head of a job that exists."""
    row = connection.execute(f"SELECT {_HEAD} FROM jobs WHERE id = ?", (job,)).fetchone()
    return Head(*row)


def oldest_queued(
    connection: sqlite3.Connection, limit: int, after: int = 0, without: Collection[str] = ()
) -> list[Head]:
    """Returns the jobs above the id ``after`` that have waited longest, but those of some owners."""
    # Unary plus: the order of the queue is the index to go by, whoever is left out.
    left_out = f" AND +owner NOT IN ({','.join('?' * len(without))})" if without else ""
    rows = connection.execute(
        f"SELECT {_HEAD} FROM jobs WHERE state = ? AND id > ?{left_out} ORDER BY id LIMIT ?",
        (QUEUED, after, *without, limit),
    )
    return [Head(*row) for row in rows]


def count_of_owner(connection: sqlite3.Connection, owner: str, states: Sequence[int]) -> int:
    """Returns how many jobs of an account are in these states, all of which must be 3 or less."""
    marks = ",".join("?" * len(states))
    (count,) = connection.execute(
        f"SELECT count(*) FROM jobs WHERE state <= 3 AND owner = ? AND state IN ({marks})",
        (owner, *states),
    ).fetchone()
    return int(count)


def in_states(connection: sqlite3.Connection, states: Sequence[int]) -> list[Head]:
    """Returns the jobs in any of these states, all of which must be 3 or less."""
    marks = ",".join("?" * len(states))
    rows = connection.execute(
        f"SELECT {_HEAD} FROM jobs WHERE state <= 3 AND state IN ({marks}) ORDER BY id",
        tuple(states),
    )
    return [Head(*row) for row in rows]


def count_in_states(connection: sqlite3.Connection, states: Sequence[int]) -> int:
    """Returns how many jobs are in these states, all of which must be 3 or less."""
    marks = ",".join("?" * len(states))
    (count,) = connection.execute(
        f"SELECT count(*) FROM jobs WHERE state <= 3 AND state IN ({marks})",
        tuple(states),
    ).fetchone()
    return int(count)


def set_progress(connection: sqlite3.Connection, head: Head, first_output_time: int | None) -> None:
    """Writes the head's numbers, and the time of the first output where there is none yet."""
    connection.execute(
        "UPDATE jobs SET last_sequence = ?, last_offset = ?,"
        " first_output_time = coalesce(first_output_time, ?) WHERE id = ?",
        (head.last_sequence, head.last_offset, first_output_time, head.id),
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
