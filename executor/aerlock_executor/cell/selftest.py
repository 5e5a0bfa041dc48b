"""Takes the steps of a cell one by one inside bubblewrap and says which one this machine refuses."""

import os
import socket
import sys
from collections.abc import Callable

from aerlock_executor.cell import filters, isolate, linux
from aerlock_executor.cell.mounts import mount_private

_SCRATCH_BYTES = 1 << 20
_SCRATCH_FILES = 16


def main() -> int:
    """Prints one line for the first step that failed; returns 0 where all worked."""
    uid, gid = os.getuid(), os.getgid()  # Unmapped once the namespace is new.
    filters.job_filter()  # Its table is read before the private mounts may hide it.
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("nested namespaces", lambda: linux.unshare(isolate.NAMESPACES)),
        ("uid map", lambda: isolate.map_ids(uid, gid)),
        ("nested mounts", _mount_in_child),
        ("capabilities", linux.drop_capabilities),
        ("seccomp", _install_filter),
    )
    for name, step in steps:
        try:
            step()
        except OSError as error:
            print(f"{name}: {error}")  # noqa: T201
            return 1
    return 0


def _mount_in_child() -> None:
    """Only a child is in the new pid namespace, which /proc needs."""
    pid = os.fork()
    if not pid:
        try:
            mount_private(_SCRATCH_BYTES, _SCRATCH_FILES, ())
        except OSError as error:
            print(f"{error}: ", end="", flush=True)  # noqa: T201
            os._exit(1)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        raise OSError("a file system could not be mounted")


def _install_filter() -> None:
    linux.install_seccomp(filters.job_filter())
    try:
        socket.socket(socket.AF_INET).close()
    except PermissionError:
        return
    raise OSError("the filter was accepted and does not filter")


if __name__ == "__main__":
    sys.exit(main())
