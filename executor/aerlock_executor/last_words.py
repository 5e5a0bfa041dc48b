"""Recognizes the limit behind an end that a native library brought about: it says why on stderr.

Libraries of Rust and C++ raise no exception where they get no memory: they write a
line and abort. OpenMP exits where it gets no thread. As with an exception, that is
the program's own word, which it may forge; what it does not decide are limit and use.
"""

import re
from typing import Final

from aerlock.v1.jobs_pb2 import FailureReason

KEPT_BYTES: Final = 4096
"""What is kept of a program's stderr to look at."""

_NO_MEMORY: Final = re.compile(
    rb"memory allocation of \d+ bytes failed"  # Rust's standard library
    rb"|std::bad_alloc"  # C++'s terminate handler
    rb"|Cannot recover from MemoryErrors"  # CPython
)
_NO_THREAD: Final = re.compile(
    rb"libgomp: Thread creation failed"
    rb"|std::system_error'\s+what\(\):\s+Resource temporarily unavailable"  # std::thread
)


class LastWords:
    """The end of what a program wrote to stderr, whatever its log keeps of that."""

    def __init__(self) -> None:
        self._kept = b""

    def hear(self, data: bytes) -> None:
        """Takes in what was written next."""
        self._kept = (self._kept + data)[-KEPT_BYTES:]

    def limit(self) -> "FailureReason.ValueType | None":
        """The limit that they name, or None."""
        if _NO_MEMORY.search(self._kept):
            return FailureReason.FAILURE_REASON_MEMORY_LIMIT
        if _NO_THREAD.search(self._kept):
            return FailureReason.FAILURE_REASON_THREAD_LIMIT
        return None
