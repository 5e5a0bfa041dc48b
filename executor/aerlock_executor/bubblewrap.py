"""The bubblewrap command line: a minimal read-only root in which the zygote runs."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cell.mounts import DEVICES, STAGE
from aerlock_executor.cell_environment import LOADER_CACHE, SYSTEM_DIRECTORIES, SYSTEM_LINKS, variables
from aerlock_executor.interpreter import Interpreter

_ZYGOTE_SCRATCH_BYTES = 16 << 20


def find_bubblewrap() -> str | None:
    """The path of bubblewrap, None where it is not installed."""
    return shutil.which("bwrap")


def command(
    bubblewrap: str,
    limits: CellLimits,
    arguments: Iterable[str],
    interpreter: Interpreter,
    info_fd: int | None = None,
) -> list[str]:
    """The command that runs ``interpreter`` with ``arguments`` in the sandbox of a zygote.

    On ``info_fd`` bubblewrap writes a JSON object whose "child-pid" is process
    1 of the sandbox, as seen from here.
    """
    return [
        bubblewrap,
        *(("--info-fd", str(info_fd)) if info_fd is not None else ()),
        *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
        *("--unshare-cgroup-try", "--die-with-parent", "--new-session", "--hostname", "cell"),
        *("--cap-drop", "ALL", "--clearenv"),
        *_environment(limits),
        *_file_systems(interpreter),
        *("--chdir", "/", "--", interpreter.executable, "-I", "-B", *arguments),
    ]


def _environment(limits: CellLimits) -> Iterator[str]:
    for name, value in variables(limits, home="/tmp").items():  # noqa: S108 - inside the sandbox
        yield from ("--setenv", name, value)


def _file_systems(interpreter: Interpreter) -> Iterator[str]:
    """The scratch directory comes first, so that an environment below /tmp is bound on top of it."""
    yield from ("--size", str(_ZYGOTE_SCRATCH_BYTES), "--tmpfs", "/tmp", "--proc", "/proc")  # noqa: S108
    for name in DEVICES:
        yield from ("--dev-bind", f"/dev/{name}", f"/dev/{name}")
    yield from ("--dir", "/dev/shm", "--dir", STAGE)  # noqa: S108
    for directory in SYSTEM_DIRECTORIES:
        yield from ("--ro-bind-try", directory, directory)
    for link in SYSTEM_LINKS:
        if Path(link).is_symlink():
            yield from ("--symlink", str(Path(link).readlink()), link)
        else:
            yield from ("--ro-bind-try", link, link)
    yield from ("--ro-bind-try", LOADER_CACHE, LOADER_CACHE)
    for path in (*interpreter.directories, *interpreter.links):
        yield from ("--ro-bind", path, path)
    yield from ("--remount-ro", "/")
