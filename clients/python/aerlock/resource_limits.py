"""What one job may use: a field of programs and an option of jobs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any, Final, Self

from aerlock._times import to_duration, to_seconds
from aerlock.exceptions import InputValueError
from aerlock.unknown_keys import cure_of
from aerlock.v1 import limits_pb2

SMALLEST: Final = {
    "memory_bytes": 64 << 20,
    "threads": 4,
    "scratch_bytes": 1 << 20,
    "scratch_files": 16,
    "open_files": 32,
    "result_bytes": 1 << 10,
    "events_per_second": 1,
    "log_bytes": 1,
}
"""The smallest that each limit may be, but for cpu_time; 0 is none."""

_BESIDE: Final = "max_execution_time belongs beside limits, not in them."
_CURES: Final = {
    **dict.fromkeys(("cpu", "cpu_seconds"), "that is cpu_time."),
    **dict.fromkeys(("max_execution_time", "timeout", "wall_time", "wall_seconds"), _BESIDE),
}
_FIELDS: Final = limits_pb2.ResourceLimits.DESCRIPTOR.fields_by_name


def why_wrong(name: str, number: int) -> str | None:
    """What a limit of `SMALLEST` must be; None where ``number`` is that."""
    if number == 0 or number >= SMALLEST[name]:
        return None
    unit = " bytes" if name.endswith("_bytes") else ""
    return f"must be at least {SMALLEST[name]}{unit}, or 0 for no limit of its own"


@dataclass(frozen=True)
class ResourceLimits:
    """What one job may use; what is None or 0 is limited by the others: program, job and executor.

    Of each the smallest counts.
    """

    cpu_time: float | None = None
    """Seconds of CPU time of all threads together; whole ones count, so 1.5 is 2."""
    memory_bytes: int | None = None
    """What the program may allocate; at least 64 MiB."""
    threads: int | None = None
    """Threads of the program; at least 4."""
    scratch_bytes: int | None = None
    """What /tmp and /dev/shm hold; at least 1 MiB."""
    scratch_files: int | None = None
    """Files, directories and links in /tmp and /dev/shm; at least 16."""
    open_files: int | None = None
    """File descriptors of the program; at least 32."""
    result_bytes: int | None = None
    """Bytes of interim and final results; at least 1 KiB."""
    events_per_second: int | None = None
    """Interim results a second; those of five seconds may come at once."""
    log_bytes: int | None = None
    """Bytes of stdout and stderr that are kept; what comes beyond is dropped."""

    @classmethod
    def of(cls, given: object, name: str = "limits") -> Self:
        """Makes them of a dict, or of what they are; raises `InputValueError` that calls them ``name``."""
        if given is None:
            return cls()
        if isinstance(given, cls):
            return given
        if not isinstance(given, Mapping):
            raise InputValueError(f"{name} must be a dict or ResourceLimits, not {type(given).__name__}")
        if unknown := [key for key in given if key not in LIMIT_NAMES]:
            raise InputValueError(
                f"{name} have no {unknown[0]!r}: {cure_of(unknown[0], LIMIT_NAMES, _CURES)}"
            )
        return cls(**given)

    @classmethod
    def from_message(cls, message: limits_pb2.ResourceLimits) -> Self:
        """Reads those that are set."""
        numbers = {name: getattr(message, name) or None for name in SMALLEST}
        return cls(cpu_time=to_seconds(message.cpu_time) or None, **numbers)

    def to_message(self, name: str = "limits") -> limits_pb2.ResourceLimits:
        """The message; raises `InputValueError` for a limit that cannot be."""
        message = limits_pb2.ResourceLimits()
        for key, value in self.to_dict().items():
            if key == "cpu_time":
                message.cpu_time.CopyFrom(to_duration(value, f"{name}.cpu_time"))
            else:
                setattr(message, key, _checked(f"{name}.{key}", key, value))
        return message

    def to_dict(self) -> dict[str, Any]:
        """Those that are set, by name."""
        return {name: value for name, value in vars(self).items() if value is not None and value != 0}


LIMIT_NAMES: Final = tuple(field.name for field in fields(ResourceLimits))
"""What each limit is called, in a dict too."""


def _checked(path: str, name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputValueError(f"{path} must be an integer, not {value!r}")
    number = int(value)
    if sentence := why_wrong(name, number):
        raise InputValueError(f"{path} {sentence}")
    bits = 31 if _FIELDS[name].type == _FIELDS[name].TYPE_INT32 else 63
    if number >= 1 << bits:
        raise InputValueError(f"{path} must be below {1 << bits}; leave it out for no limit of its own")
    return number
