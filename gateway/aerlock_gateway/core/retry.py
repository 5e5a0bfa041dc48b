"""Trying again: how long a job waits for its executor, and everyone for the database."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

logger = logging.getLogger(__name__)

SHORTEST_WAIT: Final = 0.05
"""Seconds to the first try after one that failed."""
LONGEST_WAIT: Final = 1.0
"""Seconds that it takes at most until the next try."""

T = TypeVar("T")


class Lease:
    """How long a job waits for an executor that cannot be reached, and the pauses between tries."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._clock = asyncio.get_running_loop().time
        self.renew()

    def renew(self) -> None:
        """Says that the executor has answered."""
        self._end: float | None = None
        self._wait = SHORTEST_WAIT

    def is_over(self) -> bool:
        """Returns whether the executor has been silent for too long since the first call after `renew`."""
        if self._end is None:
            self._end = self._clock() + self._seconds
        return self._clock() >= self._end

    async def pause(self) -> None:
        """Waits a little, each time longer."""
        await asyncio.sleep(self._wait)
        self._wait = min(2 * self._wait, LONGEST_WAIT)


async def insist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Repeats what the database refuses: once the disk has room or the lock is gone, it will do."""
    while True:
        try:
            return await attempt()
        except sqlite3.OperationalError as error:
            logger.error("the database does not work, trying again: %s", error)
            await asyncio.sleep(LONGEST_WAIT)
