"""The bounds that more than one part of the gateway keeps."""

from typing import Final

from google.protobuf.duration_pb2 import Duration

from aerlock_gateway.core import clock

MOST_VIOLATIONS: Final = 20
"""Violations that one answer names."""
LARGEST_SCHEMA: Final = 64 * 1024
"""Bytes of a JSON Schema's text."""
EXECUTION_TIME: Final = "must be from 1 nanosecond to 365 days, with nanos from 0 to 999,999,999"
"""What `is_execution_time` asks for, for people."""

_LONGEST_EXECUTION: Final = 365 * clock.DAY


def is_execution_time(limit: Duration) -> bool:
    """Returns whether a job may be limited to this wall time."""
    nanoseconds = limit.seconds * clock.SECOND + limit.nanos
    return 0 <= limit.nanos < clock.SECOND and 0 < nanoseconds <= _LONGEST_EXECUTION
