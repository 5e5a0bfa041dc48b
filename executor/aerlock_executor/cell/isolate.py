"""The full tier, from a fork of the zygote to a program in a cell: stub, then init, then program.

The *stub* stays outside the job's pid namespace and waits. *init* is process 1
of that namespace, trusted and out of the program's reach; when it ends, the
kernel ends everything in the namespace. The *program* is process 2.

What stub and init know travels on the status pipe, one JSON object a line, which
the program does not hold.
"""

import os
import signal
from typing import NoReturn

from aerlock_executor.cell import filters, limits, linux
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cell.mounts import mount_private
from aerlock_executor.cell.processes import (
    NO_STATUS,
    CellFds,
    begin_cell,
    begin_program,
    pass_on,
    report,
    usage_record,
    wait_for_signal,
)
from aerlock_executor.cell.signals import END_CELL

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
# What init gets to end the program and report its usage before it is killed itself.
_KILL_GRACE_SECONDS = 1.0


def isolate(fds: CellFds, cell_limits: CellLimits, kept_roots: tuple[str, ...], zygote_pid: int) -> None:
    """Turns a fresh child of the zygote into a cell; returns in the program only. Raises OSError."""
    _become_stub(fds, zygote_pid)
    _become_init(fds, cell_limits, kept_roots)
    _become_program(fds, cell_limits)


def _become_stub(fds: CellFds, zygote_pid: int) -> None:
    """Returns in init, the stub's child."""
    begin_cell(fds)
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(NAMESPACES)
    map_ids(uid, gid)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != zygote_pid:
        os._exit(NO_STATUS)
    go_reader, go_writer = os.pipe()
    init_pid = os.fork()
    if init_pid:
        os.close(go_reader)
        _wait_as_stub(fds, init_pid, go_writer)
    os.close(go_writer)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if not os.read(go_reader, 1):  # The stub died before its death could be signalled.
        os._exit(NO_STATUS)
    os.close(go_reader)


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
    os.chdir(limits.SCRATCH)
    linux.prctl(linux.PR_SET_DUMPABLE, 1)  # Its own memory, in its own /proc/self.
    begin_program(fds)
    limits.apply_fixed(cell_limits)
    linux.install_seccomp(filters.job_filter())


def _wait_as_stub(fds: CellFds, init_pid: int, go_writer: int) -> NoReturn:
    """Waits for init, and with it for the whole namespace; passes on what signals the cell."""
    for fd in fds.of_program:
        os.close(fd)
    linux.drop_capabilities()
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    report(fds.status, init=init_pid)
    os.write(go_writer, b"g")
    grace: float | None = None
    while True:
        waited = wait_for_signal(grace)
        if waited is None:
            os.kill(init_pid, signal.SIGKILL)
        elif waited != signal.SIGCHLD:
            os.kill(init_pid, waited)
        if waited == END_CELL:
            grace = _KILL_GRACE_SECONDS
        pid, status, usage = os.wait4(init_pid, os.WNOHANG)
        if pid:
            report(fds.status, init_status=status, init_usage=usage_record(usage))
            os._exit(0)


def _wait_as_init(fds: CellFds, program_pid: int) -> NoReturn:
    """Reaps everything, passes signals on to the program, and reports how it ended."""
    for fd in fds.of_program:
        os.close(fd)
    while True:
        pass_on(wait_for_signal(), program_pid)
        pid, status, usage = os.wait4(program_pid, os.WNOHANG)
        if pid:
            report(fds.status, status=status, usage=usage_record(usage), scratch_full=_is_scratch_full())
            os._exit(0)


def _is_scratch_full() -> bool:
    try:
        return not os.statvfs(limits.SCRATCH).f_bavail
    except OSError:  # there is nothing that the program could have done to that, but its end is to be told
        return False


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
