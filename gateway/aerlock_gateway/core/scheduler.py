"""Which queued job runs next: first in, first out, as many at a time as the executor has slots."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

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

    def __init__(self) -> None:
        self.placement = NOWHERE
        self.start: Callable[[jobs.Head], None] = lambda _: None

    def choose(self, connection: sqlite3.Connection) -> list[jobs.Head]:
        """Returns the jobs that shall start now; the caller makes them RUNNING in the same transaction."""
        if not self.placement.slots:
            return []
        free = self.placement.slots - jobs.count_in_states(connection, sorted(HELD_BY_EXECUTOR))
        return jobs.oldest_queued(connection, free) if free > 0 else []
