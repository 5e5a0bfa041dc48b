"""How many jobs may wait and run: all together, and of one account."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from aerlock_gateway.errors import ExhaustedError, Violation
from aerlock_gateway.store import accounts, queue

_RETRY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What the settings say; an account may have limits of its own."""

    max_queued_jobs: int
    max_queued_jobs_per_account: int
    max_running_jobs_per_account: int

    def check_queue(self, connection: sqlite3.Connection, owner: str) -> None:
        """Raises `ExhaustedError` where the account may not queue another job now."""
        account = accounts.find(connection, owner)
        own = account.max_queued_jobs if account else None
        limit = self.max_queued_jobs_per_account if own is None else own
        use = queue.count_waiting(connection, owner)
        if use >= limit:
            raise _full(f"account:{owner}", f"{owner} has {use} jobs that wait, and may have {limit}")
        use = queue.count_waiting(connection)
        if use >= self.max_queued_jobs:
            raise _full("server", f"{use} jobs wait already, and {self.max_queued_jobs} may")

    def max_running_jobs(self, connection: sqlite3.Connection, owner: str) -> int:
        """Returns how many jobs of the account may run at the same time."""
        account = accounts.find(connection, owner)
        own = account.max_running_jobs if account else None
        return self.max_running_jobs_per_account if own is None else own


def _full(subject: str, sentence: str) -> ExhaustedError:
    return ExhaustedError(
        f"{sentence}; try again when some have started or were cancelled",
        violations=[Violation(subject, sentence)],
        retry_seconds=_RETRY_SECONDS,
    )
