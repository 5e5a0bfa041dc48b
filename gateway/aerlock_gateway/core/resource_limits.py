"""Limits of programs and jobs: whether they can be, and which of several count."""

from collections.abc import Iterator
from typing import Final

from aerlock.resource_limits import SMALLEST, why_wrong
from aerlock.v1.limits_pb2 import ResourceLimits
from aerlock_gateway.core.bounds import is_execution_time
from aerlock_gateway.errors import Violation

_CPU_TIME: Final = (
    "must be at most 365 days, with nanos from 0 to 999,999,999, or 0 for no limit of its own; it is {}"
)


def limit_violations(limits: ResourceLimits, field: str) -> Iterator[Violation]:
    """Yields each limit that cannot be; ``field`` is where they are in the request."""
    cpu_time = limits.cpu_time
    if (cpu_time.seconds or cpu_time.nanos) and not is_execution_time(cpu_time):
        yield Violation(f"{field}.cpu_time", _CPU_TIME.format(f"{cpu_time.seconds} s {cpu_time.nanos} ns"))
    for name in SMALLEST:
        if sentence := why_wrong(name, getattr(limits, name)):
            yield Violation(f"{field}.{name}", sentence)


def smallest(*limits: ResourceLimits) -> ResourceLimits:
    """Returns the smallest of each limit; one that nobody sets stays unset."""
    counting = ResourceLimits()
    for name in SMALLEST:
        numbers = [number for one in limits if (number := getattr(one, name)) > 0]
        if numbers:
            setattr(counting, name, min(numbers))
    if times := [time for one in limits if (time := one.cpu_time.ToNanoseconds()) > 0]:
        counting.cpu_time.FromNanoseconds(min(times))
    return counting
