"""The queue: which jobs wait, in which order they start, and how many of whom wait and run.

Accounts take turns. A job gets its turn when it is submitted: the one that is
being served, or the one after its account's last. So an account that submits
many jobs has them in as many turns, and those of others come in between.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from aerlock_gateway.store.job_tables import HELD, WAITS

# The statements are put together from constants.
# ruff: noqa: S608


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """The first job in the queue of an account; of two the smaller one starts first."""

    running: int
    """How many jobs of the account an executor has."""
    turn: int
    job: int
    owner: str


# The turn being served, if any is, the first one that waits, and the last two of the account.
_TURNS: Final = f"""
SELECT (SELECT max(turn) FROM jobs WHERE {HELD}), (SELECT min(turn) FROM jobs WHERE {WAITS}),
    (SELECT max(turn) FROM jobs WHERE {WAITS} AND owner = ?1),
    (SELECT max(turn) FROM jobs WHERE {HELD} AND owner = ?1)
"""


def next_turn(connection: sqlite3.Connection, owner: str) -> int:
    """Returns the turn of a job that the account submits now."""
    served, first, *last = connection.execute(_TURNS, (owner,)).fetchone()
    now: int = (first or 0) if served is None else served
    after_last: list[int] = [turn + 1 for turn in last if turn is not None]
    return max([now, *after_last])


# From one account to the next in the index, past the jobs of each.
_CANDIDATES: Final = f"""
WITH RECURSIVE waiting(owner) AS (
    SELECT min(owner) FROM jobs WHERE {WAITS}
    UNION ALL
    SELECT (SELECT min(owner) FROM jobs WHERE {WAITS} AND owner > waiting.owner)
    FROM waiting WHERE waiting.owner IS NOT NULL
)
SELECT (SELECT count(*) FROM jobs WHERE {HELD} AND owner = waiting.owner),
    first.turn, first.id, waiting.owner
FROM waiting JOIN jobs AS first ON first.id = (
    SELECT id FROM jobs WHERE {WAITS} AND owner = waiting.owner ORDER BY turn LIMIT 1
)
"""


def candidates(connection: sqlite3.Connection) -> list[Candidate]:
    """Returns the first job of each account that waits; takes time by accounts, not by jobs."""
    return [Candidate(*row) for row in connection.execute(_CANDIDATES)]


def following(connection: sqlite3.Connection, candidate: Candidate) -> Candidate | None:
    """Returns who comes next of the same account once ``candidate`` runs, or None."""
    row = connection.execute(
        f"SELECT turn, id FROM jobs WHERE {WAITS} AND owner = ? AND turn > ? ORDER BY turn LIMIT 1",
        (candidate.owner, candidate.turn),
    ).fetchone()
    if row is None:
        return None
    turn, job = row
    return Candidate(candidate.running + 1, turn, job, candidate.owner)


_POSITIONS: Final = f"""
WITH held AS (SELECT owner, count(*) AS running FROM jobs WHERE {HELD} GROUP BY owner),
waiting AS (
    SELECT id, owner, turn, row_number() OVER (PARTITION BY owner ORDER BY turn) AS place
    FROM jobs WHERE {WAITS}
)
SELECT id, row_number() OVER (ORDER BY coalesce(running, 0) + place, turn, id) - 1
FROM waiting LEFT JOIN held USING (owner)
"""


def positions(connection: sqlite3.Connection) -> dict[int, int]:
    """Returns for each job that waits how many would start before it if none ended and none came."""
    return dict(connection.execute(_POSITIONS))


def count_waiting(connection: sqlite3.Connection, owner: str | None = None) -> int:
    """Returns how many jobs wait, of one account or of all."""
    return _count(connection, WAITS, owner)


def count_held(connection: sqlite3.Connection) -> int:
    """Returns how many jobs an executor has."""
    return _count(connection, HELD, None)


def _count(connection: sqlite3.Connection, condition: str, owner: str | None) -> int:
    of_owner = "" if owner is None else " AND owner = :owner"
    statement = f"SELECT count(*) FROM jobs WHERE {condition}{of_owner}"
    (number,) = connection.execute(statement, {"owner": owner}).fetchone()
    return int(number)
