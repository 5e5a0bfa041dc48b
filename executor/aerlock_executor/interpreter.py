"""The Python that an environment's cells run: where it lies, and what it loads from."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aerlock
import aerlock_executor

_SECONDS = 30.0
_DESCRIBE = "import json; from aerlock_executor.interpreter import describe; print(json.dumps(describe()))"


class InterpreterError(Exception):
    """An interpreter cannot run cells; the text says why, and the cure."""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter with the directories that it needs, none below another, and links to it outside."""

    executable: str
    directories: tuple[str, ...]
    links: tuple[str, ...]

    @classmethod
    def own(cls) -> Self:
        """The one that this process runs in."""
        return cls._of(describe() | {"path": []})

    @classmethod
    async def at(cls, path: Path) -> Self:
        """Asks the interpreter at ``path``, or in the virtual environment there.

        Raises `InterpreterError` where it cannot be asked or has no Aerlock.
        """
        python = path / "bin" / "python" if path.is_dir() else path
        return cls._of(await _ask(python))

    def check_apart(self, data_dir: Path) -> None:
        """Raises `InterpreterError` where ``data_dir`` lies among what every cell of this can read."""
        place = data_dir.resolve()
        for directory in self.directories:
            if place.is_relative_to(directory):
                raise InterpreterError(
                    f"--data-dir {data_dir} lies in {directory}, which every job can read: choose another"
                )

    @classmethod
    def _of(cls, described: dict[str, Any]) -> Self:
        executable = Path(described["executable"])
        wanted = [
            Path(described["prefix"]),
            *_installation(Path(described["base_prefix"])),
            *map(Path, described["packages"]),
            *(Path(place) for place in described["path"] if Path(place).is_dir()),
        ]
        directories = tuple(str(path) for path in _topmost([*wanted, *(path.resolve() for path in wanted)]))
        return cls(str(executable), directories, tuple(_links(executable, directories)))


def describe() -> dict[str, Any]:
    """What `Interpreter` needs to know of the process that calls this."""
    return {
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "packages": [path for package in (aerlock, aerlock_executor) for path in package.__path__],
        "path": sys.path,
    }


async def _ask(python: Path) -> dict[str, Any]:
    try:
        process = await asyncio.create_subprocess_exec(
            *(python, "-I", "-c", _DESCRIBE),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise InterpreterError(f"{python} cannot be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError as error:
        raise InterpreterError(f"{python} took longer than {_SECONDS:g} s to start") from error
    finally:
        # It may be a script, whose own children would hold the pipes open.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        last = errors.decode(errors="replace").strip().rpartition("\n")[2]
        raise InterpreterError(
            f"{python} has no Aerlock of this version: {last};"
            f" install aerlock[server]=={aerlock.__version__} there"
        )
    try:
        described: dict[str, Any] = json.loads(output)
        if described.keys() == describe().keys():
            return described
    except (ValueError, AttributeError):
        pass
    raise InterpreterError(f"{python} is no Python that says where it lies: {output[:200]!r}")


def _installation(base: Path) -> list[Path]:
    """Python's own installation; below /usr only its libraries, not the whole system."""
    if base in (Path("/usr"), Path("/usr/local")):
        return [path for path in (base / "lib", base / "lib64") if path.is_dir()]
    return [base]


def _topmost(paths: Iterable[Path]) -> list[Path]:
    """The paths without those that lie below another, or where every sandbox has what it needs."""
    kept: list[Path] = []
    for path in sorted({path.absolute() for path in paths}):
        if not any(path.is_relative_to(other) for other in (*kept, Path("/usr/lib"))):
            kept.append(path)
    return kept


def _links(executable: Path, directories: Sequence[str]) -> list[str]:
    """The links from ``executable`` to the real interpreter, as far as no directory holds them."""
    files = []
    path = executable
    while True:
        if not any(path.is_relative_to(directory) for directory in directories):
            files.append(str(path))
        if not path.is_symlink():
            return files
        path = path.parent / path.readlink()
