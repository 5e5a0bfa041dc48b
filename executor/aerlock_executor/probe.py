"""Finds out by trying whether this machine can isolate jobs, and says what to do where it cannot."""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aerlock.v1.programs_pb2 import ProgramSource
from aerlock_executor import cures
from aerlock_executor.bubblewrap import command, find_bubblewrap
from aerlock_executor.cell import landlock, seccomp
from aerlock_executor.cell.frames import receive_frame
from aerlock_executor.cell.tiers import Tier
from aerlock_executor.cgroups import Cgroups
from aerlock_executor.interpreter import Interpreter, InterpreterError
from aerlock_executor.v1.cell_pb2 import CellFrame, CellStart
from aerlock_executor.weaknesses import WEAKER, weaknesses
from aerlock_executor.zygote import CellLimits, Zygote, ZygoteError

_OLDEST_BUBBLEWRAP = (0, 7)
_SECONDS = 20.0
_MIB = 1 << 20
_LIMITS = CellLimits(
    memory_bytes=512 * _MIB, scratch_bytes=16 * _MIB, scratch_files=1024, threads=32, open_files=128
)
_PROGRAM = b"""
from qiskit import QuantumCircuit, transpile

def main(backend, user_messenger):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return sum(backend.run(transpile(circuit, backend), shots=10).result().get_counts().values())
"""


@dataclass(frozen=True)
class Check:
    """One thing that was tried; ``cure`` says what to do where it failed."""

    name: str
    ok: bool
    detail: str
    cure: str = ""


@dataclass(frozen=True)
class ProbeReport:
    """The tier that programs get here, and what was tried, up to the first failure.

    Where a layer of the tier that was asked for does not work, ``tier`` is "none", and
    ``weaker`` says what else there is. ``works`` says whether all did that was asked for;
    ``weaknesses`` are those of the tier.
    """

    tier: Tier
    works: bool
    checks: tuple[Check, ...]
    weaknesses: tuple[str, ...] = ()
    weaker: str = ""


class _FailedError(Exception):
    """A check failed: what happened, and the cure."""

    def __init__(self, detail: str, cure: str) -> None:
        super().__init__(detail)
        self.cure = cure


async def probe(tier: Tier = Tier.FULL, environments: Mapping[str, Path] | None = None) -> ProbeReport:
    """Tries each layer of a tier in turn and ends with a real circuit in a real cell (some seconds).

    So it does for each of the ``environments``, by name: one that fails concerns its own jobs alone.
    """
    checks: list[Check] = []
    for name, check in _layers(tier):
        checks.append(await _try(name, check))
        if not checks[-1].ok:
            return ProbeReport(Tier.NONE, False, tuple(checks), weaker=WEAKER.get(tier, ""))
    for name, python in (environments or {}).items():
        checks.append(await _try(f"environment {name}", partial(_check_environment, tier, python)))
    weak = tuple(weaknesses(tier, Cgroups.find().controllers))
    return ProbeReport(tier, all(check.ok for check in checks), tuple(checks), weak)


async def _try(name: str, check: Callable[[], Awaitable[str]]) -> Check:
    try:
        return Check(name, True, await check())
    except _FailedError as error:
        return Check(name, False, str(error), error.cure)


def _layers(tier: Tier) -> Iterator[tuple[str, Callable[[], Awaitable[str]]]]:
    """Yields the checks of a tier in the order in which its layers stand on each other."""
    yield "ordinary user", _check_user
    if tier is not Tier.NONE:
        yield "machine", _check_machine
    if tier is Tier.FULL:
        yield "bubblewrap", _check_bubblewrap
        yield "user namespaces", _check_namespaces
        yield "nested isolation", _check_nesting
    if tier is Tier.REDUCED:
        yield "Landlock", _check_landlock
    yield "control groups", _check_cgroups
    yield "cell", partial(_check_cell, tier)


async def _check_user() -> str:
    if os.getuid() == 0:
        raise _FailedError(
            "the executor runs as root, for whom the kernel does not count processes",
            "run it as an ordinary user; started by `aerlock` it drops root by itself",
        )
    return f"uid {os.getuid()}"


async def _check_machine() -> str:
    try:
        return seccomp.machine().name
    except LookupError as error:
        raise _FailedError(str(error), "use a machine of one of these kinds") from error


async def _check_bubblewrap() -> str:
    bubblewrap = find_bubblewrap()
    if bubblewrap is None:
        raise _FailedError("bwrap is not on the PATH", cures.of_bubblewrap())
    _, text = await _run([bubblewrap, "--version"])
    version = re.search(r"(\d+)\.(\d+)", text)
    if version is None or (int(version[1]), int(version[2])) < _OLDEST_BUBBLEWRAP:
        raise _FailedError(f"{bubblewrap} is {text or 'of an unknown version'}", cures.of_bubblewrap())
    return f"{bubblewrap}, {text}"


async def _check_namespaces() -> str:
    trial = ["--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--"]
    status, text = await _run([_bubblewrap(), *trial, sys.executable, "-I", "-c", ""])
    if status:
        raise _FailedError(text or f"bwrap ended with status {status}", cures.of_namespaces())
    return "bubblewrap can make user, pid and mount namespaces"


async def _check_nesting() -> str:
    status, text = await _run(_selftest_command())
    if status:
        raise _FailedError(text or f"the self-test ended with status {status}", cures.of_namespaces())
    return "nested namespaces, private mounts, no capabilities, seccomp filter"


async def _check_cgroups() -> str:
    if controllers := sorted(Cgroups.find().controllers):
        return f"each cell has its own {', '.join(controllers)}"
    return (
        "none that the executor may use, so limits of processes bound each cell and its usage is less exact;"
        " start as root, or by systemd with Delegate=yes"
    )


async def _check_landlock() -> str:
    try:
        version = landlock.abi()
    except OSError as error:
        raise _FailedError(str(error), cures.of_landlock(error)) from error
    if version < landlock.OLDEST_ABI:
        detail = f"Landlock has the ABI {version} here, and {landlock.OLDEST_ABI} is needed"
        raise _FailedError(detail, "boot Linux 6.12 or newer")
    return f"Landlock with the ABI {version}"


async def _check_cell(tier: Tier) -> str:
    return await _try_cell(tier, Interpreter.own(), "the message names the step")


async def _check_environment(tier: Tier, python: Path) -> str:
    cure = f"make {python} anew, or take it out of `environments`"
    try:
        interpreter = await Interpreter.at(python)
    except InterpreterError as error:
        raise _FailedError(str(error), cure) from error
    return await _try_cell(tier, interpreter, cure)


async def _try_cell(tier: Tier, interpreter: Interpreter, cure: str) -> str:
    try:
        zygote = await Zygote.start(_LIMITS, interpreter, Cgroups.find(), tier)
        try:
            return await _run_program(zygote)
        finally:
            await zygote.close()
    except ZygoteError as error:
        raise _FailedError(str(error), f"{cure}; `aerlock[server]` must be whole") from error


async def _run_program(zygote: Zygote) -> str:
    cell = await zygote.create_cell()
    await cell.start(
        CellStart(source=ProgramSource(files={"program.py": _PROGRAM}), backend_name="aer_simulator")
    )
    last = await receive_frame(cell.reader)
    errors = (await cell.stderr.read()).decode(errors="replace")
    exit_ = await cell.wait()
    frame = CellFrame.FromString(last or b"")
    if frame.final_result.int_value != 10:
        raise ZygoteError(f"a sample circuit failed ({exit_}): {frame.failure.message or errors}")
    return f"a circuit ran in a cell: {exit_.cpu_seconds:.2f} s of CPU time"


def _selftest_command() -> list[str]:
    arguments = ("-m", "aerlock_executor.cell.selftest")
    return command(_bubblewrap(), _LIMITS, arguments, Interpreter.own())


def _bubblewrap() -> str:
    return find_bubblewrap() or "bwrap"


async def _run(arguments: list[str]) -> tuple[int, str]:
    """Runs a command for at most `_SECONDS`; its status and what it printed, in one line."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, f"{arguments[0]} took longer than {_SECONDS:g} s"
    return process.returncode or 0, " ".join(output.decode(errors="replace").split())
