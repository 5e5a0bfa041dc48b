"""From a fork of the zygote to a program in a cell: stub, then init, then program.

The *stub* stays outside the job's pid namespace and waits. *init* is process 1
of that namespace, trusted and out of the program's reach; when it ends, the
kernel ends everything in the namespace. The *program* is process 2.

Stub and init take signals by waiting for them, not by handlers. What they know
travels on the status pipe, one JSON object a line, which the program does not hold.
"""

import contextlib
import fcntl
import json
import os
import signal
from dataclasses import dataclass
from typing import NoReturn

from aerlock_executor.cell import filters, limits, linux
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cell.mounts import mount_private
from aerlock_executor.cell.signals import END_CELL, FOR_PROGRAM

INPUT_FD = 3
OUTPUT_FD = 4

_JOB_UID = 1000
NAMESPACES = (
    linux.CLONE_NEWUSER
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNS
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWCGROUP
)
"""What a cell has of its own."""
_WAITED_FOR = {*FOR_PROGRAM, END_CELL, signal.SIGCHLD}
# What init gets to end the program and report its usage before it is killed itself.
_KILL_GRACE_SECONDS = 1.0
_NO_STATUS = 70  # EX_SOFTWARE


@dataclass(frozen=True)
class CellFds:
    """What a cell holds: the job's two pipes, its output pipes, the status pipe and its control groups."""

    input: int
    output: int
    stdout: int
    stderr: int
    status: int
    groups: tuple[int, ...] = ()

    @property
    def of_program(self) -> tuple[int, ...]:
        """The pipes of the job."""
        return (self.input, self.output, self.stdout, self.stderr)


def enter(fds: CellFds, cell_limits: CellLimits, kept_roots: tuple[str, ...], zygote_pid: int) -> None:
    """Turns a fresh child of the zygote into a cell; returns in the program only.

    The program holds /dev/null, stdout and stderr as 0, 1 and 2, its input as
    ``INPUT_FD`` and its output as ``OUTPUT_FD``, and nothing else.
    """
    try:
        _become_stub(fds, zygote_pid)
        _become_init(fds, cell_limits, kept_roots)
        _become_program(fds, cell_limits)
    except BaseException as error:
        with contextlib.suppress(OSError):
            _report(fds.status, error=f"{type(error).__name__}: {error}")
        os._exit(_NO_STATUS)


def _become_stub(fds: CellFds, zygote_pid: int) -> None:
    """Returns in init, the stub's child."""
    for group in fds.groups:
        os.write(group, b"0")  # this process, and with it those to come
    _prefer_for_oom()
    _close_all_but({0, 1, 2, *fds.of_program, fds.status})
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(NAMESPACES)
    map_ids(uid, gid)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != zygote_pid:
        os._exit(_NO_STATUS)
    go_reader, go_writer = os.pipe()
    init_pid = os.fork()
    if init_pid:
        os.close(go_reader)
        _wait_as_stub(fds, init_pid, go_writer)
    os.close(go_writer)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if not os.read(go_reader, 1):  # The stub died before its death could be signalled.
        os._exit(_NO_STATUS)
    os.close(go_reader)


def _prefer_for_oom() -> None:
    """Has the kernel end cells first where the machine runs out of memory, and neither server."""
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(fd, b"1000")
    os.close(fd)


def _become_init(fds: CellFds, cell_limits: CellLimits, kept_roots: tuple[str, ...]) -> None:
    """Returns in the program, init's child."""
    mount_private(cell_limits.scratch_bytes, cell_limits.scratch_files, kept_roots)
    os.setsid()
    linux.drop_capabilities()
    # Before the program exists: it runs under the same uid and could write /proc/1/mem.
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)  # Dropping capabilities may clear it.
    program_pid = os.fork()
    if program_pid:
        _wait_as_init(fds, program_pid)


def _become_program(fds: CellFds, cell_limits: CellLimits) -> None:
    os.setsid()
    os.chdir("/tmp")  # noqa: S108 - the cell's own
    _arrange_fds(fds)
    linux.prctl(linux.PR_SET_DUMPABLE, 1)  # Its own memory, in its own /proc/self.
    for number in _WAITED_FOR:
        signal.signal(number, signal.SIG_DFL)
    # Also where the executor was started with SIGINT ignored, as shells start what runs in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    limits.apply_fixed(cell_limits)
    linux.install_seccomp(filters.job_filter())


def _wait_as_stub(fds: CellFds, init_pid: int, go_writer: int) -> NoReturn:
    """Waits for init, and with it for the whole namespace; passes on what signals the cell."""
    for fd in fds.of_program:
        os.close(fd)
    linux.drop_capabilities()
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    _report(fds.status, init=init_pid)
    os.write(go_writer, b"g")
    grace: float | None = None
    while True:
        waited = _wait_for_signal(grace)
        if waited is None:
            os.kill(init_pid, signal.SIGKILL)
        elif waited != signal.SIGCHLD:
            os.kill(init_pid, waited)
        if waited == END_CELL:
            grace = _KILL_GRACE_SECONDS
        pid, status, usage = os.wait4(init_pid, os.WNOHANG)
        if pid:
            _report(fds.status, init_status=status, init_usage=_usage(usage))
            os._exit(0)


def _wait_as_init(fds: CellFds, program_pid: int) -> NoReturn:
    """Reaps everything, passes signals on to the program, and reports how it ended."""
    for fd in fds.of_program:
        os.close(fd)
    while True:
        waited = _wait_for_signal(None)
        if waited in FOR_PROGRAM:
            os.kill(program_pid, waited)
        elif waited == END_CELL:
            os.kill(program_pid, signal.SIGKILL)
        pid, status, usage = os.wait4(program_pid, os.WNOHANG)
        if pid:
            _report(fds.status, status=status, usage=_usage(usage))
            os._exit(0)


def _wait_for_signal(timeout: float | None) -> int | None:
    """The signal that came, None after ``timeout`` seconds; all of them stay blocked."""
    if timeout is None:
        return signal.sigwaitinfo(_WAITED_FOR).si_signo
    information = signal.sigtimedwait(_WAITED_FOR, timeout)
    return information.si_signo if information else None


def _usage(usage: "os.struct_rusage") -> dict[str, float]:  # type: ignore[name-defined]
    return {"cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_memory_bytes": usage.ru_maxrss * 1024}


def _report(fd: int, **record: object) -> None:
    os.write(fd, json.dumps(record).encode() + b"\n")


def map_ids(uid: int, gid: int) -> None:
    """Shows the program's own uid and gid as ``_JOB_UID`` and no other at all."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_JOB_UID} {uid} 1"),
        ("gid_map", f"{_JOB_UID} {gid} 1"),
    ):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(fd, text.encode())
        os.close(fd)


def _close_all_but(kept: set[int]) -> None:
    previous = -1
    for fd in [*sorted(kept), os.sysconf("SC_OPEN_MAX")]:
        if previous + 1 < fd:  # closerange takes an empty range from 0 for everything.
            os.closerange(previous + 1, fd)
        previous = fd


def _arrange_fds(fds: CellFds) -> None:
    """Moves the program's descriptors to 0 to 4 and closes the rest."""
    null = os.open("/dev/null", os.O_RDONLY)
    sources = (null, fds.stdout, fds.stderr, fds.input, fds.output)
    # First out of the way, so that no move overwrites a source that is still to come.
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, OUTPUT_FD + 1) for fd in sources]
    for target, fd in enumerate(high):
        os.dup2(fd, target)
    os.closerange(OUTPUT_FD + 1, os.sysconf("SC_OPEN_MAX"))
