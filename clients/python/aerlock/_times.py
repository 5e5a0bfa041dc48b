"""Seconds and local times, and the messages that carry them."""

from datetime import UTC, datetime
from numbers import Real
from typing import Final, cast

from google.protobuf import duration_pb2, timestamp_pb2

from aerlock.exceptions import InputValueError

MAX_SECONDS: Final = 365 * 86_400
"""The longest max_execution_time that a message can ask for."""


def to_duration(seconds: object, name: str) -> duration_pb2.Duration:
    """The message for ``seconds``; raises `InputValueError` that calls them ``name``."""
    number = cast("float", seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or not 0 < number <= MAX_SECONDS:
        raise InputValueError(
            f"{name} must be a number of seconds above zero and at most 31,536,000 (365 days)"
        )
    duration = duration_pb2.Duration()
    # The smallest fraction must not become zero, which a server refuses.
    duration.FromNanoseconds(max(1, round(float(number) * 1e9)))
    return duration


def to_seconds(duration: duration_pb2.Duration) -> float:
    """The seconds of any duration, also of one that no timedelta can hold."""
    return float(duration.seconds + duration.nanos / 1e9)


def to_local_time(timestamp: timestamp_pb2.Timestamp) -> datetime:
    """The local time, or the first or the last one that there is in UTC."""
    try:
        return timestamp.ToDatetime(tzinfo=UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return (datetime.max if timestamp.seconds > 0 else datetime.min).replace(tzinfo=UTC)
