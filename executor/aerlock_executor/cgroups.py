"""Control groups of cells: the kernel limits and measures each cell as a whole, where it lets the executor.

The executor uses the groups that it was started in, where it may write to
them: the launcher makes such ones before it drops root, and so does systemd
for a unit with ``Delegate=yes``. Each cell gets a group of its own below.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from aerlock.cgroup_hierarchies import Hierarchy, own_hierarchies
from aerlock_executor.cell.limits import OWN_PROCESSES, CellLimits

logger = logging.getLogger(__name__)

# The group of the executor itself: in version 2 a group that has groups with controllers has no processes.
_SELF: Final = "executor"
_CELL: Final = "cell-"
# For what the kernel keeps for a cell, such as page tables, and to report that memory ran out.
_RESERVE_BYTES: Final = 32 << 20


@dataclass(frozen=True)
class GroupUsage:
    """What a cell has used since its job began, as far as there is a controller that counts it."""

    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    out_of_memory: bool = False
    refused_threads: int | None = None


class CellGroup:
    """The groups of one cell, one in each hierarchy."""

    def __init__(self, groups: Sequence[tuple[Hierarchy, Path]], limits: CellLimits) -> None:
        self._groups = groups
        self._limits = limits
        self._files = {controller: path for hierarchy, path in groups for controller in hierarchy.controllers}
        self._cpu_before = 0.0
        self._memory_before = 0

    def open_doors(self) -> list[int]:
        """Opens what a process enters the groups by, writing ``0`` to each; the caller closes them.

        Raises OSError.
        """
        with ExitStack() as opened:
            doors = []
            for _, path in self._groups:
                doors.append(os.open(path / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))
                opened.callback(os.close, doors[-1])
            opened.pop_all()
        return doors

    @property
    def counts_threads(self) -> bool:
        """Whether there is a controller that counts them, and those that it refuses."""
        return "pids" in self._files

    def begin(self) -> None:
        """Limits the cell to what it was made with, and measures it from now on; raises OSError.

        It may use memory and its scratch directory beyond what it has used until now.
        """
        self._cpu_before = self._cpu_seconds() or 0.0
        self._memory_before = self._memory_now()
        self._limit_memory(self._limits.memory_bytes)
        self._limit_threads(self._limits.threads)
        if memory := self._files.get("memory"):
            # The peak of the job, not of the warm-up.
            _write_if_there(memory / "memory.max_usage_in_bytes", "0")

    def lower(self, memory_bytes: int, threads: int) -> None:
        """Lets the job use less than the cell may, where these are less; 0 is no limit. Raises OSError."""
        if 0 < memory_bytes < self._limits.memory_bytes:
            self._limit_memory(memory_bytes)
        if 0 < threads < self._limits.threads:
            self._limit_threads(threads)

    def usage(self) -> GroupUsage:
        """What has been used since `begin`; to be asked before they are removed."""
        cpu = self._cpu_seconds()
        peak = self._read_number("memory", "memory.peak", "memory.max_usage_in_bytes")
        return GroupUsage(
            None if cpu is None else max(0.0, cpu - self._cpu_before),
            None if peak is None else max(0, peak - self._memory_before),
            self._was_out_of_memory(),
            self._read_field("pids", "pids.events", "max"),
        )

    @property
    def paths(self) -> list[Path]:
        """Where the groups are."""
        return [path for _, path in self._groups]

    def _limit_memory(self, allowance: int) -> None:
        memory = self._files.get("memory")
        if memory is None:
            return
        limit = str(self._memory_before + allowance + self._limits.scratch_bytes + _RESERVE_BYTES)
        if (memory / "memory.max").exists():
            (memory / "memory.max").write_text(limit)
            _write_if_there(memory / "memory.swap.max", "0")
        else:
            (memory / "memory.limit_in_bytes").write_text(limit)
            _write_if_there(memory / "memory.memsw.limit_in_bytes", limit)

    def _limit_threads(self, threads: int) -> None:
        if pids := self._files.get("pids"):
            (pids / "pids.max").write_text(str(threads + OWN_PROCESSES))

    def _memory_now(self) -> int:
        return self._read_number("memory", "memory.current", "memory.usage_in_bytes") or 0

    def _cpu_seconds(self) -> float | None:
        nanoseconds = self._read_number("cpuacct", "cpuacct.usage")
        if nanoseconds is not None:
            return nanoseconds / 1e9
        microseconds = self._read_field("cpu", "cpu.stat", "usage_usec")
        return None if microseconds is None else microseconds / 1e6

    def _was_out_of_memory(self) -> bool:
        kills = self._read_field("memory", "memory.events", "oom_kill")
        if kills is None:
            kills = self._read_field("memory", "memory.oom_control", "oom_kill")
        return bool(kills)

    def _read_number(self, controller: str, *names: str) -> int | None:
        for name in names:
            text = self._read(controller, name)
            if text is not None:
                return int(text)
        return None

    def _read_field(self, controller: str, name: str, field: str) -> int | None:
        for line in (self._read(controller, name) or "").splitlines():
            key, _, value = line.partition(" ")
            if key == field:
                return int(value)
        return None

    def _read(self, controller: str, name: str) -> str | None:
        try:
            return (self._files[controller] / name).read_text()
        except (KeyError, OSError):
            return None


class Cgroups:
    """The groups that cells are made in."""

    def __init__(self, hierarchies: Sequence[Hierarchy]) -> None:
        self._hierarchies = hierarchies
        self._made = 0
        self._leftover: list[Path] = []

    @property
    def controllers(self) -> frozenset[str]:
        """The controllers that every cell has."""
        return frozenset().union(*(hierarchy.controllers for hierarchy in self._hierarchies))

    @classmethod
    def find(cls) -> Self:
        """Finds the hierarchies whose groups are this process's to use; there may be none."""
        usable: list[Hierarchy] = []
        try:
            for hierarchy in own_hierarchies():
                if taken := _take(hierarchy):
                    usable.append(taken)
        except OSError as error:
            logger.info("there are no control groups here: %s", error)
        groups = cls(usable)
        groups._leftover = [path for one in usable for path in _stale(one.group)]
        groups._remove_leftover()
        return groups

    def create(self, limits: CellLimits) -> CellGroup:
        """Makes the groups of a new cell; raises OSError."""
        self._remove_leftover()
        self._made += 1
        made: list[tuple[Hierarchy, Path]] = []
        try:
            for hierarchy in self._hierarchies:
                path = hierarchy.group / f"{_CELL}{os.getpid()}-{self._made}"
                path.mkdir()
                made.append((hierarchy, path))
        except OSError:
            self._leftover += [path for _, path in made]
            raise
        return CellGroup(made, limits)

    def discard(self, group: CellGroup) -> None:
        """Removes the groups of a cell that has ended, now or as soon as the kernel has let go of them."""
        self._leftover += group.paths
        self._remove_leftover()

    def _remove_leftover(self) -> None:
        self._leftover = [path for path in self._leftover if not _remove(path)]


def _stale(group: Path) -> Iterator[Path]:
    """Yields what executors that were killed have left in a group, and what this one had in a former life."""
    for path in group.glob(f"{_CELL}*"):
        pid = path.name.removeprefix(_CELL).partition("-")[0]
        if pid == str(os.getpid()) or not Path("/proc", pid).exists():
            yield path


def _remove(path: Path) -> bool:
    """Removes a group; returns whether it is gone: one with a process in it stays."""
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _take(hierarchy: Hierarchy) -> Hierarchy | None:
    """Makes the group of this process ready for groups of cells; None where that is not its to do."""
    group = hierarchy.group
    if not os.access(group, os.W_OK) or not os.access(group / "cgroup.procs", os.W_OK):
        return None
    if hierarchy.version == 1:
        return hierarchy
    # A second executor that was started in the group of the first is below already.
    top = replace(hierarchy, group=group.parent if group.name == _SELF else group)
    try:
        own = top.group / _SELF
        own.mkdir(exist_ok=True)
        (own / "cgroup.procs").write_text("0")
        top.enable()
    except OSError as error:
        logger.info("control groups below %s cannot be used: %s", top.group, error)
        return None
    return top


def _write_if_there(path: Path, text: str) -> None:
    if path.exists():
        path.write_text(text)
