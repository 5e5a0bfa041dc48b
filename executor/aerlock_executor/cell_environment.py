"""What a zygote finds in every tier: its variables, and the system's directories that it loads from."""

from pathlib import Path

from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.interpreter import Interpreter

# Where the dynamic loader and the libraries of a distribution lie.
SYSTEM_DIRECTORIES = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/libexec")
SYSTEM_LINKS = ("/lib", "/lib64")
LOADER_CACHE = "/etc/ld.so.cache"


def variables(limits: CellLimits, home: str) -> dict[str, str]:
    """The environment of a zygote and its cells; ``home`` is where they may write, if anywhere."""
    pool_threads = str(limits.pool_threads)
    return {
        "HOME": home,
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",
        "MIMALLOC_ARENA_RESERVE": "64MiB",
        "OMP_NUM_THREADS": pool_threads,
        "OPENBLAS_NUM_THREADS": "1",
        "QISKIT_PARALLEL": "FALSE",
        "RAYON_NUM_THREADS": pool_threads,
        "TMPDIR": home,
        "TZ": "UTC",
    }


def readable(interpreter: Interpreter) -> tuple[str, ...]:
    """What there is to read for a program that keeps the machine's own root: as much as in bubblewrap's."""
    system = [*SYSTEM_DIRECTORIES, LOADER_CACHE, *SYSTEM_LINKS]
    return (*interpreter.directories, *(path for path in system if Path(path).exists()))
