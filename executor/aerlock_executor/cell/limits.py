"""What one cell may use: kernel resource limits, set where they cannot be raised again."""

import contextlib
import os
import resource
from dataclasses import dataclass
from pathlib import Path

_MIB = 1 << 20
_STATUS = "/proc/self/statm"

# Address space beyond the memory of a job: allocator reservations and libraries
# loaded late. Shared anonymous mappings are bounded by this limit alone.
_ADDRESS_SPACE_SLACK = 256 * _MIB
# The soft limits stay this far below the hard ones, so that a job that ran out
# of memory can still be told so.
_REPORT_RESERVE = 16 * _MIB
# RLIMIT_NPROC counts tasks per user namespace: the stub and init are two of them.
_OWN_PROCESSES = 2
_SIGNALS_PENDING = 64
# Without a user namespace RLIMIT_NPROC counts what the whole uid has: what others of it may get in addition
# while a cell waits for its job and runs it.
_SPARE_TASKS = 1024

_status_fd: int | None = None


@dataclass(frozen=True)
class CellLimits:
    """Limits of every cell of one zygote.

    ``memory_bytes`` is what a program may allocate beyond the libraries that
    are already loaded; ``scratch_bytes`` is what /tmp and /dev/shm hold
    together; ``threads`` counts all threads of the program; ``file_bytes`` is
    the size of one file.
    """

    memory_bytes: int
    scratch_bytes: int
    threads: int
    open_files: int
    file_bytes: int


def apply_fixed(limits: CellLimits, others: int = 0) -> None:
    """Sets what does not depend on the job; raises OSError or ValueError.

    ``others`` are the tasks of the same uid that RLIMIT_NPROC counts as well, see `count_tasks`.
    """
    for kind, value in (
        # Not 0: a piped core_pattern starts its handler, outside of the cell, for any limit but 1.
        (resource.RLIMIT_CORE, 1),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NICE, 0),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_NPROC, limits.threads + _OWN_PROCESSES + others),
        (resource.RLIMIT_RTPRIO, 0),
        (resource.RLIMIT_SIGPENDING, _SIGNALS_PENDING),
    ):
        _lower(kind, value, value)


def count_tasks() -> int:
    """How many tasks RLIMIT_NPROC must leave to others where it counts the whole uid."""
    uid, count = os.getuid(), _SPARE_TASKS
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if path.stat().st_uid == uid:
                count += int((path / "stat").read_text().rpartition(")")[2].split()[17])
    return count


def keep_status() -> None:
    """Opens what `apply_memory` reads, for a process that is about to lose /proc; raises OSError."""
    global _status_fd
    _status_fd = os.open(_STATUS, os.O_RDONLY | os.O_CLOEXEC)


def apply_memory(allowance: int) -> None:
    """Lets the process allocate ``allowance`` bytes beyond what it has now; raises OSError."""
    status = _own_status()
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


def _lower(kind: int, soft: int, hard: int) -> None:
    """Sets a limit, but never above the hard limit that there is."""
    ceiling = resource.getrlimit(kind)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


def _own_status() -> dict[str, int]:
    """The process's sizes in bytes; zero where there is no /proc (the limits are then tighter)."""
    try:
        fields = _read_status().split()
    except OSError:
        return {"VmSize": 0, "VmData": 0}
    page = resource.getpagesize()
    return {"VmSize": int(fields[0]) * page, "VmData": int(fields[5]) * page}


def _read_status() -> bytes:
    """What /proc says; what was kept open for that is closed, since it is not for the program."""
    global _status_fd
    fd = os.open(_STATUS, os.O_RDONLY) if _status_fd is None else _status_fd
    _status_fd = None
    try:
        return os.read(fd, 256)
    finally:
        os.close(fd)
