"""The limits of one task: of what the executor allows and what is asked for, the smaller."""

import math
import os
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from aerlock.v1.limits_pb2 import ResourceLimits
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.settings import ExecutorSettings
from aerlock_executor.v1.executor_pb2 import TaskLimits


@dataclass(frozen=True)
class Limits:
    """The limits of one task: seconds of wall and CPU time, what its cell may, bytes of results and of logs.

    ``grace_seconds`` are from SIGINT to SIGTERM; ``events_per_second`` may be infinite.
    """

    wall_seconds: float
    grace_seconds: float
    cpu_seconds: int
    cell: CellLimits
    result_bytes: int
    events_per_second: float
    log_bytes: int


def limits_of(settings: ExecutorSettings, asked: TaskLimits) -> Limits:
    """The limits of a task for which ``asked`` is asked; what is 0 there leaves the executor's."""
    resources = asked.resources
    wall = _smaller(settings.max_execution_time, asked.wall_time.ToNanoseconds() / 1e9)
    own = cell_limits(settings)
    return Limits(
        wall_seconds=wall,
        grace_seconds=settings.cancel_grace,
        # Whole seconds are what the kernel counts in; less than one must not become none.
        cpu_seconds=math.ceil(
            _smaller(_cpu_seconds(settings, wall), resources.cpu_time.ToNanoseconds() / 1e9)
        ),
        cell=CellLimits(
            **{name: int(_smaller(limit, getattr(resources, name))) for name, limit in vars(own).items()}
        ),
        result_bytes=int(_smaller(settings.result_bytes, resources.result_bytes)),
        events_per_second=_smaller(settings.events_per_second or math.inf, resources.events_per_second),
        log_bytes=int(_smaller(settings.log_bytes, resources.log_bytes)),
    )


def cell_limits(settings: ExecutorSettings) -> CellLimits:
    """What a cell of the pool is made with."""
    return CellLimits(
        memory_bytes=settings.memory_bytes,
        scratch_bytes=settings.scratch_bytes,
        scratch_files=settings.scratch_files,
        threads=settings.threads,
        open_files=settings.open_files,
    )


def to_message(settings: ExecutorSettings) -> ResourceLimits:
    """What a task may use that asks for nothing."""
    return ResourceLimits(
        **vars(cell_limits(settings)),
        cpu_time=Duration(seconds=_cpu_seconds(settings, settings.max_execution_time)),
        result_bytes=settings.result_bytes,
        events_per_second=settings.events_per_second,
        log_bytes=settings.log_bytes,
    )


def _cpu_seconds(settings: ExecutorSettings, wall_seconds: float) -> int:
    return settings.cpu_seconds or int(wall_seconds * (os.cpu_count() or 1)) + 1


def _smaller(own: float, asked: float) -> float:
    """The smaller of two limits, where an ``asked`` of 0 leaves our own."""
    return min(own, asked) if asked > 0 else own
