"""Answers that clients have not taken yet: how many bytes of them one account may leave in memory."""

from collections import Counter
from typing import Final

from aerlock_gateway.errors import ExhaustedError

_BYTES_UNTAKEN: Final = 64 << 20
# What a call costs beside its answer, so that a flood of small ones is bounded too.
_OVERHEAD: Final = 16 << 10
# Room for the largest answer of a method that changes something: afterwards it is too late to refuse it.
_LARGEST_OF_A_CHANGE: Final = 256 << 10
_CHANGES_WITH_LARGE_ANSWERS: Final = frozenset({"UploadProgram", "UpdateProgram"})
_ONLY_READ: Final = ("Get", "List")
_RETRY_SECONDS: Final = 1.0


class Answers:
    """Counts the calls of each account until their answers are taken; gRPC keeps those for as long."""

    def __init__(self) -> None:
        self._untaken: Counter[str] = Counter()

    def begin(self, account: str, method: str) -> "Answer":
        """Counts a call of a method; raises `ExhaustedError` where the account has left too much."""
        large = method in _CHANGES_WITH_LARGE_ANSWERS
        answer = Answer(self._untaken, account, is_change=not method.startswith(_ONLY_READ))
        answer.reserve(_OVERHEAD + _LARGEST_OF_A_CHANGE * large)
        return answer


class Answer:
    """One answer on its way."""

    def __init__(self, untaken: Counter[str], account: str, is_change: bool) -> None:
        self._untaken = untaken
        self._account = account
        self._is_change = is_change
        self._size = 0

    def reserve(self, size: int) -> None:
        """Counts bytes until `release`; raises `ExhaustedError` where there is no room for them."""
        if self._untaken[self._account] + size > _BYTES_UNTAKEN:
            raise ExhaustedError(
                f"{self._account} has not taken {self._untaken[self._account]:,} bytes of answers, and may"
                f" leave {_BYTES_UNTAKEN:,}; read them, or make fewer calls at the same time",
                reason="ANSWERS_PENDING",
                retry_seconds=_RETRY_SECONDS,
            )
        self._untaken[self._account] += size
        self._size += size

    def is_made(self, size: int) -> None:
        """Counts what a method answers; raises `ExhaustedError` where it changed nothing and has no room."""
        if not self._is_change:
            self.reserve(size)

    def release(self) -> None:
        """Counts it no more: it was taken, or nobody waits for it."""
        self._untaken[self._account] -= self._size
        if not self._untaken[self._account]:  # accounts come and go
            del self._untaken[self._account]
