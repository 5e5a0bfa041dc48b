"""A bell that rings after each commit, for those who wait for more of something."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Listener:
    """Hears the rings of one key."""

    def __init__(self, ring: int) -> None:
        self.ring = ring
        """The number of the last ring; what was committed before it, a later read sees."""
        self.after: int | None = None
        """The cursor that the first ring since `clear` named: what is new has a higher one."""
        self._rung = asyncio.Event()

    def clear(self) -> None:
        """Forgets the rings so far; call it before looking."""
        self._rung.clear()
        self.after = None

    async def wait(self) -> None:
        """Waits for a ring since `clear`; call it after looking."""
        await self._rung.wait()

    def hear(self, ring: int, after: int) -> None:
        """Takes a ring."""
        self.ring = ring
        if self.after is None:
            self.after = after
        self._rung.set()


class Bell:
    """Wakes those who listen to a key: a job or all the jobs of an account."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[Listener]] = {}
        self._rings = 0
        self.stopping = False

    def ring(self, *keys: str, after: int = 0) -> None:
        """Wakes the listeners of the keys: events with a cursor above ``after`` were committed."""
        self._rings += 1
        for key in keys:
            for listener in self._listeners.get(key, ()):
                listener.hear(self._rings, after)

    def stop(self) -> None:
        """Wakes everyone, for good."""
        self.stopping = True
        self.ring(*self._listeners)

    @contextmanager
    def listen(self, key: str) -> Iterator[Listener]:
        """Gives a listener to the rings of a key."""
        listener = Listener(self._rings)
        listeners = self._listeners.setdefault(key, set())
        listeners.add(listener)
        try:
            yield listener
        finally:
            listeners.discard(listener)
            if not listeners:
                self._listeners.pop(key, None)


def job_key(job_id: str) -> str:
    """Returns the bell's key of a job."""
    return f"job:{job_id}"


def owner_key(account: str | None) -> str:
    """Returns the bell's key of all the jobs of an account, or of all accounts."""
    return "everyone" if account is None else f"owner:{account}"
