"""What one cell may use: kernel resource limits, set where they cannot be raised again."""

import contextlib
import os
import resource
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MIB = 1 << 20
_STATUS = "/proc/self/statm"
_STATUS_BYTES = 256

# Address space beyond the memory of a job: allocator reservations and libraries
# loaded late. Shared anonymous mappings are bounded by this limit alone.
_ADDRESS_SPACE_SLACK = 256 * _MIB
# The soft limits stay this far below the hard ones, so that a job that ran out
# of memory can still be told so.
_REPORT_RESERVE = 16 * _MIB
# Of the threads of a program: OpenMP's, Rust's, that of Aer's jobs and the main one.
_SHARES_OF_POOLS = 4
_SIGNALS_PENDING = 64
# Without a user namespace RLIMIT_NPROC counts what the whole uid has: what others of it may get in addition
# while a cell waits for its job and runs it.
_SPARE_TASKS = 1024

_others = 0
_status_fd: int | None = None

SCRATCH: Final = "/tmp"  # noqa: S108 - the cell's own
"""Where a program may write in the full tier; /dev/shm shares its room."""
OWN_PROCESSES: Final = 2
"""The stub and init, which RLIMIT_NPROC and control groups count with the threads of the program."""
SPARE_PROCESSES: Final = 1
"""So many more RLIMIT_NPROC allows where a control group refuses, which counts what it has refused."""


@dataclass(frozen=True)
class CellLimits:
    """Limits of a cell.

    ``memory_bytes`` is what a program may allocate beyond the libraries that
    are already loaded; ``scratch_bytes`` and ``scratch_files`` are what /tmp and
    /dev/shm hold together; ``threads`` counts all threads of the program.
    """

    memory_bytes: int
    scratch_bytes: int
    scratch_files: int
    threads: int
    open_files: int

    @property
    def pool_threads(self) -> int:
        """Threads of each pool of a library: OpenMP ends the process when it cannot start one."""
        return max(1, min(os.cpu_count() or 1, self.threads // _SHARES_OF_POOLS))

    def fit(self, made: "CellLimits") -> bool:
        """Whether these can be set in a cell that was ``made`` with others.

        Its scratch is mounted, and its pools of threads may have begun.
        """
        return self._when_made == made._when_made

    @property
    def _when_made(self) -> tuple[int, int, int]:
        return (self.scratch_bytes, self.scratch_files, self.pool_threads)


def apply_fixed(limits: CellLimits) -> None:
    """Sets what does not depend on the job; raises OSError or ValueError."""
    for kind, value in (
        # Not 0: a piped core_pattern starts its handler, outside of the cell, for any limit but 1.
        (resource.RLIMIT_CORE, 1),
        (resource.RLIMIT_FSIZE, limits.scratch_bytes),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NICE, 0),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_NPROC, limits.threads + OWN_PROCESSES + SPARE_PROCESSES + _others),
        (resource.RLIMIT_RTPRIO, 0),
        (resource.RLIMIT_SIGPENDING, _SIGNALS_PENDING),
    ):
        _lower(kind, value, value)


def share_uid() -> None:
    """Has RLIMIT_NPROC leave room for what else the uid has, which it counts without a user namespace."""
    global _others
    uid, _others = os.getuid(), _SPARE_TASKS
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if path.stat().st_uid == uid:
                _others += int((path / "stat").read_text().rpartition(")")[2].split()[17])


def keep_status() -> None:
    """Opens what `measure_memory` reads, for a process that is about to lose /proc; raises OSError."""
    global _status_fd
    _status_fd = os.open(_STATUS, os.O_RDONLY)


def apply_counts(threads: int, open_files: int) -> None:
    """Lets the program have so many threads, with those that it has, and file descriptors; raises OSError."""
    processes = threads + OWN_PROCESSES + _others
    _lower(resource.RLIMIT_NPROC, processes, processes)
    _lower(resource.RLIMIT_NOFILE, open_files, open_files)


def apply_memory(allowance: int) -> None:
    """Lets the process allocate ``allowance`` bytes beyond what it has now; raises OSError."""
    status = measure_memory()
    for kind, limit in (
        (resource.RLIMIT_DATA, status["VmData"] + allowance),
        (resource.RLIMIT_AS, status["VmSize"] + allowance + _ADDRESS_SPACE_SLACK),
    ):
        _lower(kind, limit, limit + _REPORT_RESERVE)


def apply_cpu(seconds: int) -> None:
    """Lets the process use ``seconds`` of CPU time from now; SIGXCPU, a second later SIGKILL."""
    used = sum(os.times()[:2])
    limit = int(used) + 1 + seconds
    _lower(resource.RLIMIT_CPU, limit, limit + 1)


def release_reserve() -> None:
    """Raises the soft memory limits to the hard ones, to report that memory ran out."""
    for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (hard, hard))


def has_memory_for_thread() -> bool:
    """Whether there is room for the stack of one more thread."""
    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    stack = threading.stack_size() or resource.getrlimit(resource.RLIMIT_STACK)[0]
    return limit == resource.RLIM_INFINITY or measure_memory()["VmData"] + stack <= limit


def _lower(kind: int, soft: int, hard: int) -> None:
    """Sets a limit, but never above the hard limit that there is."""
    ceiling = resource.getrlimit(kind)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


def measure_memory() -> dict[str, int]:
    """VmSize and VmData of this process in bytes; zero without /proc (the limits are then tighter)."""
    try:
        fields = _read_status().split()
    except OSError:
        return {"VmSize": 0, "VmData": 0}
    page = resource.getpagesize()
    return {"VmSize": int(fields[0]) * page, "VmData": int(fields[5]) * page}


def _read_status() -> bytes:
    if _status_fd is not None:
        return os.pread(_status_fd, _STATUS_BYTES, 0)
    return Path(_STATUS).read_bytes()
