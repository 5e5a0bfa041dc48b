"""Which queued job runs next: one of the account that has the fewest running, and accounts take turns."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from aerlock_gateway.core.limits import JobLimits
from aerlock_gateway.store import jobs, queue


@dataclass(frozen=True, slots=True)
class Placement:
    """What the executor offers at present."""

    slots: int
    isolation_tier: str


NOWHERE = Placement(0, "")


class Scheduler:
    """The one place that decides; several executors would be told apart here.

    Decisions fall inside write transactions, so that the rows of the jobs are the
    only account of what runs, and a restart has nothing to rebuild.
    """

    def __init__(self, limits: JobLimits) -> None:
        self._limits = limits
        self.placement = NOWHERE
        self.start: Callable[[jobs.Head], None] = lambda _: None

    def choose(self, connection: sqlite3.Connection) -> list[jobs.Head]:
        """Returns the jobs that shall start now; the caller makes them RUNNING in the same transaction."""
        if not self.placement.slots:
            return []
        free = self.placement.slots - queue.count_held(connection)
        return self._next(connection, free) if free > 0 else []

    def _next(self, connection: sqlite3.Connection, free: int) -> list[jobs.Head]:
        """Returns the first jobs in line, but those of accounts that run as many as they may."""
        chosen: list[jobs.Head] = []
        line = queue.candidates(connection)
        heapify(line)
        while line and len(chosen) < free:
            first = heappop(line)
            if first.running >= self._limits.max_running_jobs(connection, first.owner):
                continue
            chosen.append(jobs.find_head(connection, first.job))
            if (second := queue.following(connection, first)) is not None:
                heappush(line, second)
        return chosen
