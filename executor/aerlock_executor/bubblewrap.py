"""The bubblewrap command line: a minimal read-only root in which the zygote runs."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import aerlock
import aerlock_executor
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cell.mounts import DEVICES, STAGE

_ZYGOTE_SCRATCH_BYTES = 16 << 20
# Where the dynamic loader and the libraries of a distribution lie.
_SYSTEM_DIRECTORIES = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/libexec")
_SYSTEM_LINKS = ("/lib", "/lib64")
_LOADER_CACHE = "/etc/ld.so.cache"


def find_bubblewrap() -> str | None:
    """The path of bubblewrap, None where it is not installed."""
    return shutil.which("bwrap")


def root_directories() -> tuple[str, ...]:
    """Every directory that Python, Qiskit and Aerlock are loaded from, none below another."""
    wanted = [
        Path(sys.prefix),
        *_interpreter_directories(),
        *(Path(path) for package in (aerlock, aerlock_executor) for path in package.__path__),
    ]
    wanted += [path.resolve() for path in wanted]
    kept: list[Path] = []
    for path in sorted({path.absolute() for path in wanted}):
        if not any(path.is_relative_to(other) for other in (*kept, Path("/usr/lib"))):
            kept.append(path)
    return tuple(str(path) for path in kept)


def command(
    bubblewrap: str, limits: CellLimits, arguments: Iterable[str], info_fd: int | None = None
) -> list[str]:
    """The command that runs Python with ``arguments`` in the sandbox of a zygote.

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
        *_file_systems(),
        *("--chdir", "/", "--", sys.executable, "-I", "-B", *arguments),
    ]


def _environment(limits: CellLimits) -> Iterator[str]:
    # Pools of threads must fit into a cell's limit: OpenMP ends the process when it cannot start one.
    workers = str(max(1, min(os.cpu_count() or 1, limits.threads // 4)))
    variables = {
        "HOME": "/tmp",  # noqa: S108 - inside the sandbox
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",
        "MIMALLOC_ARENA_RESERVE": "64MiB",
        "OMP_NUM_THREADS": workers,
        "OPENBLAS_NUM_THREADS": "1",
        "QISKIT_PARALLEL": "FALSE",
        "RAYON_NUM_THREADS": workers,
        "TMPDIR": "/tmp",  # noqa: S108
        "TZ": "UTC",
    }
    for name, value in variables.items():
        yield from ("--setenv", name, value)


def _file_systems() -> Iterator[str]:
    """The scratch directory comes first, so that an environment below /tmp is bound on top of it."""
    yield from ("--size", str(_ZYGOTE_SCRATCH_BYTES), "--tmpfs", "/tmp", "--proc", "/proc")  # noqa: S108
    for name in DEVICES:
        yield from ("--dev-bind", f"/dev/{name}", f"/dev/{name}")
    yield from ("--dir", "/dev/shm", "--dir", STAGE)  # noqa: S108
    for directory in _SYSTEM_DIRECTORIES:
        yield from ("--ro-bind-try", directory, directory)
    for link in _SYSTEM_LINKS:
        if Path(link).is_symlink():
            yield from ("--symlink", str(Path(link).readlink()), link)
        else:
            yield from ("--ro-bind-try", link, link)
    yield from ("--ro-bind-try", _LOADER_CACHE, _LOADER_CACHE)
    for path in (*root_directories(), *_interpreter_files()):
        yield from ("--ro-bind", path, path)
    yield from ("--remount-ro", "/")


def _interpreter_directories() -> list[Path]:
    """Python's own installation; below /usr only its libraries, not the whole system."""
    base = Path(sys.base_prefix)
    if base in (Path("/usr"), Path("/usr/local")):
        return [path for path in (base / "lib", base / "lib64") if path.is_dir()]
    return [base]


def _interpreter_files() -> list[str]:
    """The links from ``sys.executable`` to the real interpreter, as far as no bound directory holds them."""
    files = []
    path = Path(sys.executable)
    while True:
        if not any(path.is_relative_to(directory) for directory in root_directories()):
            files.append(str(path))
        if not path.is_symlink():
            return files
        path = path.parent / path.readlink()
