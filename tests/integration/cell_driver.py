"""Makes real cells and prints what became of them as JSON; tests run it as the executor's uid.

Its arguments are the tier and a JSON list of jobs, which run one after another in
cells of one zygote: {"source": TEXT or {file: TEXT}, "inputs", "action", "memory_bytes",
"cpu_seconds", "log_level"}.
"""

import asyncio
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import psutil

from aerlock import codec
from aerlock.v1.jobs_pb2 import FailureReason
from aerlock.v1.programs_pb2 import ProgramSource
from aerlock_executor.cell.frames import receive_frame
from aerlock_executor.cell.tiers import Tier
from aerlock_executor.interpreter import Interpreter
from aerlock_executor.v1.cell_pb2 import CellFrame, CellStart
from aerlock_executor.zygote import CellLimits, Zygote, ZygoteError

MIB = 1 << 20
LIMITS = CellLimits(
    memory_bytes=512 * MIB, scratch_bytes=32 * MIB, scratch_files=1024, threads=32, open_files=64
)


async def main(tier, jobs):
    zygote = await Zygote.start(LIMITS, Interpreter.own(), tier=tier)
    outcomes = []
    for job in jobs:
        if job.get("action") == "count":
            outcomes.append(counts())
            continue
        if job.get("action") == "starve zygote":
            outcomes.append(await starve(zygote))
            continue
        outcomes.append(await run(zygote, job))
    children = psutil.Process().children(recursive=True)
    await zygote.close()
    print(json.dumps({"outcomes": outcomes, "left": [child.pid for child in children if is_alive(child)]}))


def is_alive(process):
    """A zombie that the machine's own init has yet to reap is dead."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def run(zygote, job):
    created = time.monotonic()
    cell = await zygote.create_cell()
    started = time.monotonic()
    await cell.start(start_message(job))
    frames = []
    stdout, stderr = asyncio.create_task(cell.stdout.read()), asyncio.create_task(cell.stderr.read())
    action = job.get("action")
    if action == "kill":
        frames.append(await next_frame(cell))
        cell.kill()
    elif action in ("kill stub", "kill zygote"):
        frames.append(await next_frame(cell))
        os.kill(find(action.removeprefix("kill ")), signal.SIGKILL)
    while frame := await next_frame(cell):
        frames.append(frame)
    try:
        exit_ = vars(await cell.wait())
    except ZygoteError as error:
        exit_ = {"error": str(error), "closed": await asyncio.wait_for(zygote.closed, 5)}
    return {
        "frames": frames,
        "stdout": (await stdout).decode(errors="replace"),
        "stderr": (await stderr).decode(errors="replace"),
        "exit": exit_,
        "seconds_to_create": started - created,
        "seconds": time.monotonic() - started,
    }


async def starve(zygote):
    """Asks for a cell while the zygote can open nothing; returns what is said."""
    everything = resource.prlimit(find("zygote"), resource.RLIMIT_NOFILE)
    resource.prlimit(find("zygote"), resource.RLIMIT_NOFILE, (4, everything[1]))
    try:
        await zygote.create_cell()
    except ZygoteError as error:
        return str(error)
    finally:
        resource.prlimit(find("zygote"), resource.RLIMIT_NOFILE, everything)


def start_message(job):
    files = job["source"] if isinstance(job["source"], dict) else {"program.py": job["source"]}
    return CellStart(
        source=ProgramSource(files={name: text.encode() for name, text in files.items()}),
        inputs=codec.to_map(job.get("inputs", {})),
        backend_name=job.get("backend_name", "aer_simulator"),
        log_level=job.get("log_level", ""),
        memory_bytes=job.get("memory_bytes", 0),
        cpu_seconds=job.get("cpu_seconds", 0),
    )


async def next_frame(cell):
    payload = await receive_frame(cell.reader)
    if payload is None:
        return None
    frame = CellFrame.FromString(payload)
    kind = frame.WhichOneof("frame")
    if kind == "failure":
        reason = FailureReason.Name(frame.failure.reason).removeprefix("FAILURE_REASON_")
        return [
            kind,
            {"reason": reason, "message": frame.failure.message, "traceback": frame.failure.traceback},
        ]
    return [kind, codec.from_value(getattr(frame, kind))]


def find(what):
    """The pid of the zygote, or of the newest stub.

    The line is bubblewrap, its init, zygote, stub, init, program; without namespaces
    reaper, zygote, stub, program.
    """
    (zygote,) = psutil.Process().children()[0].children()
    if "aerlock_executor.cell.zygote" in zygote.cmdline():
        (zygote,) = zygote.children()
    return (
        zygote.pid if what == "zygote" else max(zygote.children(), key=lambda child: child.create_time()).pid
    )


def counts():
    """What a cell could leave behind: processes, descriptors here and in the zygote, mounts of the zygote."""
    zygote = find("zygote")
    return {
        "processes": len(psutil.Process().children(recursive=True)),
        "fds": len(list(Path("/proc/self/fd").iterdir())),
        "zygote_fds": len(list(Path(f"/proc/{zygote}/fd").iterdir())),
        "mounts": len(Path(f"/proc/{zygote}/mounts").read_text().splitlines()),
    }


asyncio.run(main(Tier(sys.argv[1]), json.loads(sys.argv[2])))
