"""Finds out by trying whether this machine can isolate jobs, and says what to do where it cannot."""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aerlock.v1.programs_pb2 import ProgramSource
from aerlock_executor.bubblewrap import command, find_bubblewrap
from aerlock_executor.cell import seccomp
from aerlock_executor.cell.frames import receive_frame
from aerlock_executor.cgroups import Cgroups
from aerlock_executor.interpreter import Interpreter
from aerlock_executor.v1.cell_pb2 import CellFrame, CellStart
from aerlock_executor.zygote import CellLimits, Zygote, ZygoteError

FULL = "full"
NONE = "none"

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

_INSTALL = "install bubblewrap 0.7 or newer; on Debian and Ubuntu: apt install bubblewrap"
_APPARMOR = (
    "Ubuntu restricts user namespaces: install an AppArmor profile that allows them to bwrap, "
    "or run: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
)
_CONTAINER = (
    "this is a container: its runtime's seccomp and AppArmor profiles must allow unshare, mount, umount2 and "
    "pivot_root, and its /proc must not be masked; for Docker see docs/operations.md"
)
_SYSCTLS = (
    ("kernel/apparmor_restrict_unprivileged_userns", "1", _APPARMOR),
    ("kernel/unprivileged_userns_clone", "0", "run: sysctl -w kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "run: sysctl -w user.max_user_namespaces=15000"),
)


@dataclass(frozen=True)
class Check:
    """One thing that was tried; ``cure`` says what to do where it failed."""

    name: str
    ok: bool
    detail: str
    cure: str = ""


@dataclass(frozen=True)
class ProbeReport:
    """The tier of isolation, "full" or "none", and what was tried, up to the first failure."""

    tier: str
    checks: tuple[Check, ...]


class _FailedError(Exception):
    """A check failed: what happened, and the cure."""

    def __init__(self, detail: str, cure: str) -> None:
        super().__init__(detail)
        self.cure = cure


async def probe() -> ProbeReport:
    """Tries each layer of the sandbox in turn and ends with a real circuit in a real cell (some seconds)."""
    checks: list[Check] = []
    for name, check in _CHECKS:
        try:
            checks.append(Check(name, True, await check()))
        except _FailedError as error:
            checks.append(Check(name, False, str(error), error.cure))
            return ProbeReport(NONE, tuple(checks))
    return ProbeReport(FULL, tuple(checks))


async def _check_user() -> str:
    if os.getuid() == 0:
        raise _FailedError(
            "the executor runs as root, for whom the kernel does not count processes",
            "run it as an ordinary user; started by `aerlock up` it drops root by itself",
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
        raise _FailedError("bwrap is not on the PATH", _INSTALL)
    _, text = await _run([bubblewrap, "--version"])
    version = re.search(r"(\d+)\.(\d+)", text)
    if version is None or (int(version[1]), int(version[2])) < _OLDEST_BUBBLEWRAP:
        raise _FailedError(f"{bubblewrap} is {text or 'of an unknown version'}", _INSTALL)
    return f"{bubblewrap}, {text}"


async def _check_namespaces() -> str:
    trial = ["--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--"]
    status, text = await _run([_bubblewrap(), *trial, sys.executable, "-I", "-c", ""])
    if status:
        raise _FailedError(text or f"bwrap ended with status {status}", _namespace_cure())
    return "bubblewrap can make user, pid and mount namespaces"


async def _check_nesting() -> str:
    status, text = await _run(_selftest_command())
    if status:
        raise _FailedError(text or f"the self-test ended with status {status}", _namespace_cure())
    return "nested namespaces, private mounts, no capabilities, seccomp filter"


async def _check_cgroups() -> str:
    if controllers := sorted(Cgroups.find().controllers):
        return f"each cell has its own {', '.join(controllers)}"
    return (
        "none that the executor may use, so limits of processes bound each cell and its usage is less exact;"
        " start as root, or by systemd with Delegate=yes"
    )


async def _check_cell() -> str:
    try:
        zygote = await Zygote.start(_LIMITS, Interpreter.own(), Cgroups.find())
        try:
            return await _run_program(zygote)
        finally:
            await zygote.close()
    except ZygoteError as error:
        raise _FailedError(
            str(error), "the message names the step; `aerlock[server]` must be whole"
        ) from error


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


_CHECKS: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
    ("ordinary user", _check_user),
    ("machine", _check_machine),
    ("bubblewrap", _check_bubblewrap),
    ("user namespaces", _check_namespaces),
    ("nested isolation", _check_nesting),
    ("control groups", _check_cgroups),
    ("cell", _check_cell),
)


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


def _namespace_cure() -> str:
    """What to do on this machine where namespaces are refused."""
    for name, refused, cure in _SYSCTLS:
        path = Path("/proc/sys", name)
        if path.is_file() and path.read_text().strip() == refused:
            return cure
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return _CONTAINER
    return "the kernel must allow unprivileged user namespaces (CONFIG_USER_NS) and seccomp filters"
