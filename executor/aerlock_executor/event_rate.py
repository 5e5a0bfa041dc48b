"""How fast a job may publish: a leaky bucket for its interim results."""

import time
from typing import Final

from aerlock.v1.jobs_pb2 import FailureReason, JobFailure

RATE_SECONDS: Final = 5
"""What a job would have in so many seconds may come at once."""


class EventRate:
    """Holds the interim results of `RATE_SECONDS` and empties at the rate, which may be infinite."""

    def __init__(self, per_second: float, now: float | None = None) -> None:
        self._per_second = per_second
        self._room = per_second * RATE_SECONDS
        self._level = 0.0
        self._now = self._empty_since = time.monotonic() if now is None else now
        self._results = 0

    def count(self, results: int, now: float) -> JobFailure | None:
        """Takes in what a batch had at a time of the monotonic clock; returns the failure of one too many."""
        level = self._level - self._per_second * (now - self._now) if now > self._now else self._level
        if level <= 0:
            level, self._empty_since, self._results = 0.0, now, 0
        self._now = now
        self._level = level + results
        self._results += results
        return self._overflow(now) if self._level > self._room else None

    def _overflow(self, now: float) -> JobFailure:
        # What may come at once is that of so many seconds: over these the rate is always above its limit.
        seconds = max(float(RATE_SECONDS), now - self._empty_since)
        limit, used = self._per_second, self._results / seconds
        message = (
            f"The program published {self._results:,} interim results within {seconds:,.1f} s,"
            f" {used:,.2f} a second; the limit is {limit:,.0f} a second, and {self._room:,.0f} at once."
        )
        reason = FailureReason.FAILURE_REASON_EVENT_RATE_LIMIT
        return JobFailure(reason=reason, message=message, limit=limit, used=used)
