"""The tiers without namespaces, from a fork of the zygote to a program in a cell: stub, then program.

The *stub* waits, as in the full tier, and is what orphans of the program fall
to. The *program* is in a Landlock domain of its own and under a filter that lets
it signal nobody else; in the tier none it is under resource limits alone, and
may have further processes, which the stub ends with it.
"""

import os
import signal
import socket
import tempfile
from collections.abc import Callable
from typing import NoReturn

from aerlock_executor.cell import filters, landlock, limits, linux
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cell.processes import (
    NO_STATUS,
    CellFds,
    begin_cell,
    begin_program,
    end_children,
    pass_on,
    report,
    usage_record,
    wait_for_signal,
)
from aerlock_executor.cell.tiers import Tier

DEVICES = ("/dev/null", "/dev/random", "/dev/urandom")
"""The devices that a program of the reduced tier may open."""


def confine(
    fds: CellFds, cell_limits: CellLimits, readable: tuple[str, ...], zygote_pid: int, tier: Tier
) -> None:
    """Turns a fresh child of the zygote into a cell; returns in the program only. Raises OSError."""
    _become_stub(fds, zygote_pid)
    begin_program(fds)
    os.setsid()
    limits.share_uid()
    limits.apply_fixed(cell_limits)
    if tier is Tier.REDUCED:
        limits.keep_status()
        restrict(readable)
    else:
        linux.prctl(linux.PR_SET_DUMPABLE, 1)
        os.chdir(tempfile.gettempdir())


def restrict(readable: tuple[str, ...]) -> None:
    """Takes from this process everything but reading; raises OSError where something was not taken."""
    tempfile.tempdir = None  # There is no place for it any more: it has to say so.
    linux.clear_capabilities()
    landlock.restrict(readable, DEVICES)
    # What was accepted must also hold.
    _expect_refusal("Landlock", lambda: os.close(os.open("/", os.O_RDONLY)))
    _expect_refusal("Landlock's scope of signals", lambda: os.kill(os.getppid(), 0))
    linux.install_seccomp(filters.confined_filter(os.getpid()))
    _expect_refusal("the filter", lambda: socket.socket(socket.AF_INET).close())


def _become_stub(fds: CellFds, zygote_pid: int) -> None:
    """Returns in the program, the stub's child."""
    begin_cell(fds)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != zygote_pid:
        os._exit(NO_STATUS)
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)  # Before there is a program under the same uid.
    stub_pid = os.getpid()
    program_pid = os.fork()
    if program_pid:
        _wait_as_stub(fds, program_pid)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != stub_pid:  # It died before its death could be signalled.
        os._exit(NO_STATUS)


def _wait_as_stub(fds: CellFds, program_pid: int) -> NoReturn:
    """Waits for the program, passes signals on to it, ends what it leaves, and reports how it ended."""
    report(fds.status, init=program_pid)
    for fd in fds.of_program:
        os.close(fd)
    while True:
        pass_on(wait_for_signal(), program_pid)
        pid, status, usage = os.wait4(program_pid, os.WNOHANG)
        if pid:
            end_children()
            report(fds.status, status=status, usage=usage_record(usage))
            os._exit(0)


def _expect_refusal(what: str, attempt: Callable[[], None]) -> None:
    try:
        attempt()
    except PermissionError:
        return
    raise OSError(f"{what} was accepted and does not restrict")
