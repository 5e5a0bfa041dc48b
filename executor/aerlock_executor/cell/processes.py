"""What the processes of a cell have in common: descriptors, signals that are waited for, reports, ends."""

import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from aerlock_executor.cell.signals import END_CELL, FOR_PROGRAM

INPUT_FD = 3
OUTPUT_FD = 4
WAITED_FOR = frozenset({*FOR_PROGRAM, END_CELL, signal.SIGCHLD})
"""Stub and init take signals by waiting for these, not by handlers."""
NO_STATUS = 70  # EX_SOFTWARE


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


def begin_cell(fds: CellFds) -> None:
    """Makes a fork of the zygote the first process of a cell: in its groups, with its descriptors alone."""
    for group in fds.groups:
        os.write(group, b"0")  # this process, and with it those to come
    _prefer_for_oom()
    _close_all_but({0, 1, 2, *fds.of_program, fds.status})
    signal.pthread_sigmask(signal.SIG_BLOCK, WAITED_FOR)


def begin_program(fds: CellFds) -> None:
    """Gives the program its descriptors, and signals as Python has them.

    It holds /dev/null, stdout and stderr as 0, 1 and 2, its input as
    ``INPUT_FD`` and its output as ``OUTPUT_FD``, and nothing else.
    """
    _arrange_fds(fds)
    for number in WAITED_FOR:
        signal.signal(number, signal.SIG_DFL)
    # Also where the executor was started with SIGINT ignored, as shells start what runs in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def wait_for_signal(timeout: float | None = None, numbers: Set[int] = WAITED_FOR) -> int | None:
    """The signal that came, None after ``timeout`` seconds; all of them stay blocked."""
    if timeout is None:
        return signal.sigwaitinfo(numbers).si_signo
    information = signal.sigtimedwait(numbers, timeout)
    return information.si_signo if information else None


def pass_on(number: int | None, program_pid: int) -> None:
    """Does to the program what a signal asks for; the program is a child that is not reaped yet."""
    if number in FOR_PROGRAM:
        os.kill(program_pid, number)
    elif number == END_CELL:
        os.kill(program_pid, signal.SIGKILL)


def report(fd: int, **record: object) -> None:
    """Writes a record to the status pipe."""
    os.write(fd, json.dumps(record).encode() + b"\n")


def usage_record(usage: "os.struct_rusage") -> dict[str, float]:  # type: ignore[name-defined]
    """What a reaped process has used, for a record."""
    return {"cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_memory_bytes": usage.ru_maxrss * 1024}


def end_children() -> None:
    """Ends every child, and those of each that become this process's when it ends, and reaps them all."""
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def _children() -> Iterator[int]:
    own = os.getpid()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = path.read_text().rpartition(")")[2].split()[1]
            if int(parent) == own:
                yield int(path.parent.name)


def _prefer_for_oom() -> None:
    """Has the kernel end cells first where the machine runs out of memory, and neither server."""
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(fd, b"1000")
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
