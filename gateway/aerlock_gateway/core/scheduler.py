"""Which queued job runs next: first in, first out, as many as there are slots and an account may run."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from aerlock_gateway.core.limits import JobLimits
from aerlock_gateway.core.states import HELD_BY_EXECUTOR
from aerlock_gateway.store import jobs


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
        free = self.placement.slots - jobs.count_in_states(connection, sorted(HELD_BY_EXECUTOR))
        return self._next(connection, free) if free > 0 else []

    def _next(self, connection: sqlite3.Connection, free: int) -> list[jobs.Head]:
        """Returns the jobs that have waited longest, but those of accounts that run as many as they may."""
        chosen: list[jobs.Head] = []
        left: dict[str, int] = {}
        while len(chosen) < free:
            full = [owner for owner, count in left.items() if count <= 0]
            after = chosen[-1].id if chosen else 0
            waiting = jobs.oldest_queued(connection, free - len(chosen), after, full)
            for head in waiting:
                if head.owner not in left:
                    left[head.owner] = self._limits.running_left(connection, head.owner)
                if left[head.owner] <= 0:
                    break  # all of its others are left out of the next look
                left[head.owner] -= 1
                chosen.append(head)
            else:
                return chosen
        return chosen
