"""The queue: which jobs wait, in which order they start, and how many of whom wait and run.

Accounts take turns. A job gets its turn when it is submitted: the one that is
being served, or the one after its account's last. So an account that submits
many jobs has them in as many turns, and those of others come in between.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

QUEUED: Final = 1
RUNNING: Final = 2
CANCELLING: Final = 3
"""The numbers of the states of jobs that need something; the ended ones are above."""

# Says to the planner that an index of the jobs that need something will do.
_ALIVE: Final = "state <= 3"
_HELD: Final = f"{_ALIVE} AND state IN ({RUNNING}, {CANCELLING})"

# The statements are put together from constants of this file.
# ruff: noqa: S608


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """The first job in the queue of an account; of two the smaller one starts first."""

    running: int
    """How many jobs of the account an executor has."""
    turn: int
    job: int
    owner: str


def next_turn(connection: sqlite3.Connection, owner: str) -> int:
    """Returns the turn of a job that the account submits now."""
    last = [_turn(connection, "max", state, owner) for state in (QUEUED, RUNNING, CANCELLING)]
    served = [_turn(connection, "max", state) for state in (RUNNING, CANCELLING)]
    now = max((turn for turn in served if turn is not None), default=None)
    if now is None:
        now = _turn(connection, "min", QUEUED) or 0
    return max([now, *(turn + 1 for turn in last if turn is not None)])


def _turn(connection: sqlite3.Connection, extreme: str, state: int, owner: str | None = None) -> int | None:
    of_owner = "" if owner is None else " AND owner = :owner"
    (turn,) = connection.execute(
        f"SELECT {extreme}(turn) FROM jobs WHERE {_ALIVE} AND state = :state{of_owner}",
        {"state": state, "owner": owner},
    ).fetchone()
    return None if turn is None else int(turn)


_CANDIDATES: Final = f"""
WITH RECURSIVE alive(owner) AS (
    SELECT min(owner) FROM jobs WHERE {_ALIVE}
    UNION ALL
    SELECT (SELECT min(jobs.owner) FROM jobs WHERE {_ALIVE} AND jobs.owner > alive.owner)
    FROM alive WHERE alive.owner IS NOT NULL
)
SELECT (SELECT count(*) FROM jobs WHERE {_HELD} AND jobs.owner = alive.owner),
    first.turn, first.id, alive.owner
FROM alive JOIN jobs AS first ON first.id = (
    SELECT id FROM jobs WHERE {_ALIVE} AND state = {QUEUED} AND jobs.owner = alive.owner ORDER BY turn LIMIT 1
)
"""


def candidates(connection: sqlite3.Connection) -> list[Candidate]:
    """Returns the first job of each account that waits; takes time by accounts, not by jobs."""
    return [Candidate(*row) for row in connection.execute(_CANDIDATES)]


def following(connection: sqlite3.Connection, candidate: Candidate) -> Candidate | None:
    """Returns who comes next of the same account once ``candidate`` runs, or None."""
    row = connection.execute(
        f"SELECT turn, id FROM jobs WHERE {_ALIVE} AND state = {QUEUED} AND owner = ? AND turn > ?"
        " ORDER BY turn LIMIT 1",
        (candidate.owner, candidate.turn),
    ).fetchone()
    if row is None:
        return None
    turn, job = row
    return Candidate(candidate.running + 1, turn, job, candidate.owner)


_POSITIONS: Final = f"""
WITH held AS (SELECT owner, count(*) AS running FROM jobs WHERE {_HELD} GROUP BY owner),
waiting AS (
    SELECT id, owner, turn, row_number() OVER (PARTITION BY owner ORDER BY turn) AS place
    FROM jobs WHERE {_ALIVE} AND state = {QUEUED}
)
SELECT id, row_number() OVER (ORDER BY coalesce(running, 0) + place, turn, id) - 1
FROM waiting LEFT JOIN held USING (owner)
"""


def positions(connection: sqlite3.Connection) -> dict[int, int]:
    """Returns for each job that waits how many would start before it if none ended and none came."""
    return dict(connection.execute(_POSITIONS))


def count(connection: sqlite3.Connection, states: Sequence[int], owner: str | None = None) -> int:
    """Returns how many jobs, of one account or of all, are in these states that need something."""
    marks = ",".join(str(int(state)) for state in states)
    of_owner = "" if owner is None else " AND owner = :owner"
    (number,) = connection.execute(
        f"SELECT count(*) FROM jobs WHERE {_ALIVE} AND state IN ({marks}){of_owner}", {"owner": owner}
    ).fetchone()
    return int(number)
