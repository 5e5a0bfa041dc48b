"""How long jobs are kept: old ones are deleted whole, and what is deleted is taken from the disk."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from aerlock_gateway.core import clock
from aerlock_gateway.core.access import Action
from aerlock_gateway.core.joblog import PURGE_DELAY
from aerlock_gateway.store import audit, deletion
from aerlock_gateway.store.database import Database

logger = logging.getLogger(__name__)

_SECONDS: Final = 10.0
_JOBS_PER_STEP: Final = 100
# Pages that are left for what comes next: 16 MiB.
_SPARE_PAGES: Final = 4096
_OPERATOR: Final = ""


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """How many of the jobs that have ended are kept; None is all of them."""

    days: float | None = None
    count: int | None = None
    size: int | None = None

    def exceeded_by(self, job: deletion.EndedJob, count: int, size: int, now: int) -> bool:
        """Returns whether the oldest of ``count`` jobs of ``size`` bytes together must go."""
        return (
            (self.days is not None and job.end_time < now - self.days * clock.DAY)
            or (self.count is not None and count > self.count)
            or (self.size is not None and size > self.size)
        )


class Retention:
    """Works in small transactions and rests as long after each, so that nobody waits for it."""

    def __init__(self, database: Database, limits: RetentionLimits) -> None:
        self._database = database
        self._limits = limits

    async def keep(self) -> None:
        """Deletes what is due now and then, without end."""
        while True:
            try:
                await self.delete_old()
                await self.purge()
            except (sqlite3.OperationalError, OSError) as error:
                logger.error("old jobs cannot be deleted, trying again later: %s", error)
            await asyncio.sleep(_SECONDS)

    async def delete_old(self) -> None:
        """Hides the jobs beyond the limits, those first that ended first."""
        if self._limits == RetentionLimits():
            return
        hidden = 1
        while hidden:
            # Counted past the writer; if others delete jobs meanwhile, it is counted again.
            kept = await self._database.read(deletion.count_kept)
            hidden = await self._step(partial(self._hide_oldest, kept=kept))

    async def purge(self) -> None:
        """Takes the deleted jobs whose time has come from the database, and gives their room back."""
        while await self._step(lambda connection: deletion.purge_some(connection, clock.now())):
            pass
        gave_back = False
        while await self._step(partial(deletion.give_back, spare=_SPARE_PAGES)):
            gave_back = True
        if gave_back:
            await self._database.checkpoint()

    def _hide_oldest(self, connection: sqlite3.Connection, kept: deletion.Kept) -> bool:
        """Hides some of the jobs that must go; returns whether there may be more of them."""
        if deletion.count_deleted(connection) != kept.deleted:
            return True
        now, count, size = clock.now(), kept.count, kept.size
        for job in deletion.oldest_ended(connection, _JOBS_PER_STEP):
            if not self._limits.exceeded_by(job, count, size, now):
                return False
            deletion.hide(connection, job.id, now + PURGE_DELAY)
            audit.insert(connection, now, _OPERATOR, Action.DELETE_JOB, job.job_id, "retention")
            count, size = count - 1, size - job.stored_bytes
        return count > 0

    async def _step(self, work: Callable[[sqlite3.Connection], bool]) -> bool:
        """Does some work in a transaction of its own, then rests; returns whether there is more."""
        begin = asyncio.get_running_loop().time()
        more = await self._database.write(work)
        await asyncio.sleep(asyncio.get_running_loop().time() - begin)
        return more
