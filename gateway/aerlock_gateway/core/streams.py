"""How many streams of one kind there may be at the same time."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aerlock_gateway.errors import ExhaustedError

_RETRY_SECONDS = 1.0


class Streams:
    """Counts the open streams of each account."""

    def __init__(self, per_account: int, in_all: int) -> None:
        self._per_account = per_account
        self._in_all = in_all
        self._open: Counter[str] = Counter()

    @contextmanager
    def opened(self, account: str) -> Iterator[None]:
        """Counts one stream as long as it is open; raises `ExhaustedError` where there are enough."""
        if self._open[account] >= self._per_account or self._open.total() >= self._in_all:
            raise ExhaustedError(
                f"too many such streams are open: {self._per_account} of one account may be, and"
                f" {self._in_all} in all; try again when one has ended",
                reason="TOO_MANY_STREAMS",
                retry_seconds=_RETRY_SECONDS,
            )
        self._open[account] += 1
        try:
            yield
        finally:
            self._open[account] -= 1
            # Without zeros: accounts come and go.
            self._open += Counter()
