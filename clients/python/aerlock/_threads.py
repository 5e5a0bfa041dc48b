"""Waiting, backing off, and the one thread that runs callbacks."""

import random
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from aerlock.exceptions import RuntimeJobTimeoutError

LONGEST_BACKOFF_SECONDS: Final = 5.0


class Dispatcher:
    """One thread that runs the callbacks, one after the other.

    Its queue has no bound of its own: the one of a stream that waited for a slow
    callback would hold up the results of every other job. What waits is at most
    what the server lets the streamed jobs publish.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, task: Callable[[], None]) -> None:
        """Runs ``task`` after those that came before; it must not raise."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="aerlock-callbacks", daemon=True)
                self._thread.start()
        self._tasks.put(task)

    def is_current(self) -> bool:
        """Whether the caller is in a callback."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Ends the thread after what has been submitted; does not wait for it."""
        if self._thread is not None:
            self._tasks.put(None)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


class Backoff:
    """Waits longer after each failure in a row."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self.reset()

    def reset(self) -> None:
        """Starts anew after a success."""
        self._seconds = 0.05

    def wait(self, closed: threading.Event, at_most: float | None = None) -> None:
        """Waits, or returns at once when ``closed`` is set."""
        # Many clients of one server must not come back in the same moment.
        delay = self._seconds * random.uniform(0.5, 1.0)  # noqa: S311
        self._seconds = min(self._seconds * 2, LONGEST_BACKOFF_SECONDS)
        closed.wait(delay if at_most is None else min(delay, at_most))


def remaining_seconds(deadline: float | None, job_id: str) -> float | None:
    """Seconds until ``deadline``; raises `RuntimeJobTimeoutError` when it is over."""
    if deadline is None:
        return None
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise RuntimeJobTimeoutError(f"Timeout while waiting for job {job_id}.")
    return remaining


def wait(event: threading.Event, deadline: float | None, job_id: str) -> None:
    """Waits for ``event`` in slices, so that Ctrl-C interrupts everywhere; raises as `remaining_seconds`."""
    while not event.is_set():
        remaining = remaining_seconds(deadline, job_id)
        event.wait(0.5 if remaining is None else min(0.5, remaining))
