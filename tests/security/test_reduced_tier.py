"""The reduced tier: hostile programs without namespaces around them, and what breaks there."""

import os
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from integration.executor_driver import Executor, executor_of_its_own, reason, until
from security.arena import ATTACKERS, SETTINGS, Arena
from security.expectations import ANY, EXPECTATIONS, Expectation
from security.gated_landlock import Gate
from security.test_hostile_programs import groups

from aerlock.cli.unprivileged import EXECUTOR_UID, command_as
from aerlock.codec import from_value
from aerlock.local_runtime import running_locally
from aerlock.v1.jobs_pb2 import JOB_STATE_COMPLETED, FailureReason, JobState

HERE = Path(__file__).parent
# Sees names of files, as this tier says that programs do.
LEARNS_NAMES = "files_servers"
# The status of its own process, open since before it lost /proc.
OTHERWISE = {"inheritance_descriptors": Expectation(result=[5])}
# What the kernel notes on a file system that may be written, though not by programs.
NOTED = "time of access"
GROUPS = ("files", "inheritance", "kernel", "network", "persistence", "processes")
RETURN_ONE = "def main(backend, user_messenger):\n    return 1\n"
HANG = """
import os
import time

def main(backend, user_messenger):
    user_messenger.publish(os.getpid())
    time.sleep(600)
"""
# Tries what the same uid may do without a sandbox, to files and to processes. Expected: an empty list.
SAME_UID = """
import os
import socket

from attack import let_through, succeeded

def main(backend, user_messenger, file, sockets, pids):
    beside = os.path.join(os.path.dirname(file), "left")
    attempts = {
        "read": lambda: open(file).close(),
        "write": lambda: open(file, "a").close(),
        "list": lambda: os.listdir(os.path.dirname(file)),
        "create": lambda: open(beside, "w").close(),
        "chmod": lambda: os.chmod(file, 0o777),
        "chown": lambda: os.chown(file, os.getuid(), os.getgid()),
        "times": lambda: os.utime(file, (1, 1)),
        "truncate": lambda: os.truncate(file, 0),
        "rename": lambda: os.rename(file, beside),
        "link": lambda: os.link(file, beside),
        "symbolic link": lambda: os.symlink(file, beside),
        "unlink": lambda: os.unlink(file),
        "attribute": lambda: os.setxattr(file, "user.mark", b"x"),
        "folder": lambda: os.mkdir(beside),
        "fifo": lambda: os.mkfifo(beside),
        "program": lambda: os.execv("/usr/bin/env", ["env"]),
        "process": lambda: os.fork(),
        "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
        "tcp": lambda: socket.create_connection(("127.0.0.1", 22), 1).close(),
    }
    for path in (*sockets, "\\0aerlock"):
        attempts[f"dial {path}"] = lambda path=path: dial(path)
    calls = {}
    pids = [pid for pid in pids if pid != os.getpid()]  # it may be the cell that stood ready
    for pid in pids:
        for name in ("mem", "maps", "environ", "cmdline", "status", "fd", "task", "root", "cwd"):
            path = f"/proc/{pid}/{name}"
            attempts[path] = lambda path=path: os.close(os.open(path, os.O_RDONLY))
        for name in ("cwd", "root", "exe", "ns/user"):
            path = f"/proc/{pid}/{name}"
            attempts[f"link {path}"] = lambda path=path: os.readlink(path)
        for number in (0, 9, 15, 19):
            attempts[f"signal {number} to {pid}"] = lambda pid=pid, number=number: os.kill(pid, number)
            calls[f"tgkill {number} to {pid}"] = ("tgkill", pid, pid, number)
        buffer = bytes(64)
        calls |= {
            f"ptrace {pid}": ("ptrace", 16, pid, 0, 0),
            f"seize {pid}": ("ptrace", 0x4206, pid, 0, 0),
            f"read memory of {pid}": ("process_vm_readv", pid, buffer, 1, buffer, 1, 0),
            f"write memory of {pid}": ("process_vm_writev", pid, buffer, 1, buffer, 1, 0),
            f"pidfd of {pid}": ("pidfd_open", pid, 0),
            f"limits of {pid}": ("prlimit64", pid, 7, buffer, 0),
            f"cores of {pid}": ("sched_setaffinity", pid, 8, buffer),
            f"priority of {pid}": ("setpriority", 0, pid, 19),
            f"queue to {pid}": ("rt_sigqueueinfo", pid, 15, buffer),
            f"pages of {pid}": ("migrate_pages", pid, 0, 0, 0),
            f"group of {pid}": ("setpgid", pid, 0),
        }
    for pid in (0, -1, -pids[0]):
        calls[f"kill {pid}"] = ("kill", pid, 9)
    return succeeded(attempts) + let_through(calls)


def dial(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
"""


@pytest.fixture(scope="module")
def reduced():
    with (
        running_locally({**SETTINGS, "AERLOCK_EXECUTOR_SANDBOX": "landlock"}) as runtime,
        ExitStack() as stack,
    ):
        yield Arena(runtime, stack)


def expectation(name: str) -> Expectation:
    """As in the full tier; or an error at what there is not here, a /tmp and a /proc of its own."""
    expected = OTHERWISE.get(name, EXPECTATIONS[name])
    if expected.state == "COMPLETED" and not expected.reasons:
        return replace(expected, reasons=("PROGRAM_ERROR",), message="PermissionError")
    return expected


def check_end(arena: Arena, name: str, expected: Expectation) -> None:
    """Runs a program and compares how it ends, and its result."""
    job = arena.attacker.start(arena.upload(name, expected.seconds), {"places": arena.places})
    if expected.cancel:
        job.stream_results(lambda *_: job.cancel())
    events = arena.attacker.events(job.job_id())
    end = events[-1].state_change
    state = JobState.Name(end.state).removeprefix("JOB_STATE_")
    if state != expected.state:
        assert (state, bool(expected.reasons)) == ("FAILED", True), end
    if state == "FAILED":
        assert FailureReason.Name(end.failure.reason).removeprefix("FAILURE_REASON_") in expected.reasons, end
        assert expected.message in end.failure.message
    finals = [from_value(event.final_result) for event in events if event.HasField("final_result")]
    if finals and expected.result is not ANY:
        if isinstance(finals[0], list):
            finals[0] = [found for found in finals[0] if found != NOTED]
        assert finals == [expected.result]


@pytest.mark.parametrize("group", GROUPS)
def test_hostile_programs_come_to_the_same_end_as_in_the_full_tier(reduced, group):
    wrong = []

    def attack(name: str) -> None:
        try:
            check_end(reduced, name, expectation(name))
        except Exception as error:  # of another thread: it is told below
            wrong.append(f"{name}: {type(error).__name__}: {error}")

    with reduced.canaries(), ThreadPoolExecutor(ATTACKERS) as pool:
        list(pool.map(attack, [name for name in groups()[group] if name != LEARNS_NAMES]))
    assert not wrong, "\n".join(wrong)


def test_program_reaches_neither_files_nor_processes_of_its_own_uid(reduced, tmp_path):
    top = psutil.Process(reduced.runtime.pid)
    supervisor = next(process for process in top.children() if "aerlock_executor" in process.cmdline())
    victim = reduced.runtime.data_dir / "executor/victim"
    victim.write_text("untouched")
    os.chown(victim, supervisor.uids().real, supervisor.gids().real)
    before = victim.stat()

    neighbour = reduced.neighbour.start(reduced.neighbour.upload("hanging", HANG))
    pids = []
    neighbour.stream_results(lambda _, pid: pids.append(pid))
    while not pids:
        neighbour.interim_results()
    pids += [supervisor.pid, *(process.pid for process in supervisor.children(recursive=True)), top.pid, 1]

    (tmp_path / "program.py").write_text(SAME_UID)
    shutil.copy(HERE / "attack.py", tmp_path)
    runtime_dir = reduced.runtime.data_dir / "run"
    job = reduced.attacker.service.run(
        program_id=reduced.attacker.upload("same-uid", tmp_path),
        options={"backend_name": "aer_simulator"},
        inputs={"file": str(victim), "sockets": list(map(str, runtime_dir.rglob("*.sock"))), "pids": pids},
    )
    assert job.result(timeout=60) == []

    after = victim.stat()
    assert victim.read_text() == "untouched"
    assert (after.st_mode, after.st_uid, after.st_mtime_ns, after.st_nlink) == (
        before.st_mode, before.st_uid, before.st_mtime_ns, before.st_nlink,
    )  # fmt: skip
    assert neighbour.status().name == "RUNNING"
    neighbour.cancel()


def test_program_has_no_place_to_write_and_is_told_so(reduced):
    source = "import tempfile\n\ndef main(backend, user_messenger):\n    tempfile.mkdtemp()\n"
    job = reduced.attacker.start(reduced.attacker.upload("temporary", source))
    failure = reduced.attacker.events(job.job_id())[-1].state_change.failure
    assert "No usable temporary directory found" in failure.message


def test_job_is_refused_and_never_runs_outside_when_landlock_is_refused(unprivileged_folder):
    gate = Gate(unprivileged_folder / "gate.sock")

    def command(*arguments: str, writable: tuple[Path, ...] = ()) -> list[str]:
        helper = HERE / "gated_landlock.py"
        gated = [sys.executable, str(helper), str(unprivileged_folder / "gate.sock"), sys.executable]
        return command_as(EXECUTOR_UID, [*gated, *arguments], (*writable, helper), own_cgroup=True)

    executor = Executor(unprivileged_folder, command)
    try:
        executor.start(warm_cells=0, sandbox="landlock")
        assert executor.run(RETURN_ONE)[-1].ended.state == JOB_STATE_COMPLETED
        gate.is_open = False
        for _ in range(2):
            events = executor.run(RETURN_ONE)
            assert reason(events) == "EXECUTOR_LOST"
            assert not any(event.HasField("final_result") or event.HasField("started") for event in events)
        gate.is_open = True
        assert executor.run(RETURN_ONE)[-1].ended.state == JOB_STATE_COMPLETED
    finally:
        executor.stop(signal.SIGKILL)


def test_killed_zygote_takes_programs_along_and_the_next_one_is_made():
    with executor_of_its_own() as executor:
        executor.start(warm_cells=1, sandbox="landlock")
        stream = executor.stub.StartTask(executor.request(HANG))
        until(stream, "interim_result")
        below = psutil.Process(executor.process.pid).children(recursive=True)
        reaper = psutil.Process(executor.process.pid).children()[0]
        (zygote,) = reaper.children()
        zygote.kill()
        ended = [event for response in stream for event in response.events][-1]
        assert reason([ended]) == "EXECUTOR_LOST"
        assert psutil.wait_procs(below, timeout=10)[1] == []
        assert executor.run(RETURN_ONE)[-1].ended.state == JOB_STATE_COMPLETED
