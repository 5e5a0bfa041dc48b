"""Time as the database keeps it, nanoseconds since 1970 in UTC, and as messages carry it."""

import time

from google.protobuf.timestamp_pb2 import Timestamp

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


def now() -> int:
    """Returns the present time in nanoseconds since 1970."""
    return time.time_ns()


def to_timestamp(nanoseconds: int) -> Timestamp:
    """Returns the message for a time."""
    seconds, nanos = divmod(nanoseconds, SECOND)
    return Timestamp(seconds=seconds, nanos=nanos)


def from_timestamp(timestamp: Timestamp) -> int:
    """Returns the time that a message carries."""
    return timestamp.seconds * SECOND + timestamp.nanos
