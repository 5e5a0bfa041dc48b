"""Starts a zygote where no bubblewrap does, and outlives it: when it ends, every process below it is ended.

It is what process 1 of bubblewrap's sandbox is in the full tier. Nothing is
imported here that the zygote needs: this process stays small.
"""

import os
import signal
from typing import NoReturn

from aerlock_executor.cell import linux
from aerlock_executor.cell.processes import end_children, wait_for_signal

_WAITED_FOR = frozenset({signal.SIGTERM, signal.SIGCHLD})


def main() -> None:
    """Runs the zygote in a child; does not return."""
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    # Not SIGKILL: it has others to end. An executor that has ended before closed the control socket.
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    own_pid = os.getpid()
    zygote_pid = os.fork()
    if zygote_pid:
        _reap(zygote_pid)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != own_pid:
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITED_FOR)
    from aerlock_executor.cell import zygote

    zygote.main()


def _reap(zygote_pid: int) -> NoReturn:
    """Waits until the zygote has ended, or this process is told to, and ends the rest."""
    status = 0
    while wait_for_signal(numbers=_WAITED_FOR) != signal.SIGTERM:
        pid, status = _next_end()
        while pid not in (0, zygote_pid):
            pid, status = _next_end()
        if pid:
            break
    end_children()
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _next_end() -> tuple[int, int]:
    """The next child that has ended, with its status; 0 where none has."""
    return os.waitpid(-1, os.WNOHANG)


if __name__ == "__main__":
    main()
