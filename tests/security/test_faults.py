"""What breaks around the jobs: none is left, none runs outside of a cell, and the next one is right."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from integration.executor_driver import Executor, executor_of_its_own, reason, until
from security.arena import Arena

from aerlock.cli.unprivileged import EXECUTOR_UID, command_as
from aerlock.v1.jobs_pb2 import JOB_STATE_COMPLETED, FailureReason

JOBS = int(os.environ.get("SECURITY_JOBS", "20"))
SETTLING_JOBS = 10
MEBIBYTE = 1 << 20
NAMESPACES_OF_THE_KERNEL = ("net_namespace", "pid_namespace", "user_namespace", "uts_namespace")
STUBBORN = """
import signal
import threading
import time

def main(backend, user_messenger):
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    threading.Thread(target=time.sleep, args=(600,)).start()
    user_messenger.publish("running")
    time.sleep(600)
"""
RETURN_ONE = "def main(backend, user_messenger):\n    return 1\n"
ZYGOTE_WITH_A_THREAD = """
import subprocess, sys
from aerlock_executor.bubblewrap import command, find_bubblewrap
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cell.zygote_options import ZygoteOptions
from aerlock_executor.interpreter import Interpreter

limits = CellLimits(1 << 29, 1 << 25, 16_384, 128, 256)
code = '''
import sys, threading, time
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
from aerlock_executor.cell import zygote
zygote.main()
'''
interpreter = Interpreter.own()
arguments = ("-c", code, ZygoteOptions(0, limits, interpreter.directories).to_json())
sys.exit(subprocess.run(command(find_bubblewrap(), limits, arguments, interpreter)).returncode)
"""

# Whoever enters a namespace may change it until the next exec.
SET_LIMIT = """
import ctypes, os, sys
fd = os.open(f"/proc/{sys.argv[1]}/ns/user", os.O_RDONLY)
if ctypes.CDLL(None, use_errno=True).setns(fd, 0x10000000):
    raise OSError(ctypes.get_errno(), "setns")
with open("/proc/sys/user/max_user_namespaces", "w") as file:
    file.write(sys.argv[2])
"""


@pytest.fixture
def executor():
    with executor_of_its_own() as executor:
        yield executor


def test_killed_zygote_ends_its_jobs_truly_and_the_next_one_is_made(arena):
    program_id = arena.attacker.upload("stubborn", STUBBORN)
    jobs = [arena.attacker.start(program_id) for _ in range(2)]
    for job in jobs:
        arena.await_interim(job)
    cells = arena.server("zygote").children(recursive=True)
    arena.server("zygote").kill()
    for job in jobs:
        changes = [event.state_change for event in arena.attacker.events(job.job_id())]
        assert changes[-1].failure.reason == FailureReason.FAILURE_REASON_EXECUTOR_LOST
        assert sum(change.HasField("failure") for change in changes) == 1
    assert psutil.wait_procs(cells, timeout=10)[1] == []
    arena.run_canary()
    arena.settled_traces()


@pytest.mark.parametrize("member", ["stub", "init", "program"])
def test_killed_process_of_a_cell_ends_its_job_alone(arena, contained, member):
    with contained():
        job = arena.attacker.start(arena.attacker.upload("stubborn", STUBBORN))
        arena.await_interim(job)
        cell_of_the_stubborn(arena.server("zygote"))[member].kill()
        failure = arena.attacker.events(job.job_id())[-1].state_change.failure
        assert failure.reason == FailureReason.FAILURE_REASON_CRASHED
        assert failure.signal == signal.SIGKILL


def cell_of_the_stubborn(zygote: psutil.Process) -> dict[str, psutil.Process]:
    """The processes of the cell whose program ignores every signal; those of canaries come and go."""
    for stub in zygote.children():
        with suppress(psutil.NoSuchProcess, OSError, ValueError):
            (init,) = stub.children()
            (program,) = init.children()
            ignored = Path(f"/proc/{program.pid}/status").read_text().split("SigIgn:")[1].split()[0]
            if int(ignored, 16).bit_count() > 50:
                return {"stub": stub, "init": init, "program": program}
    raise AssertionError("there is no such cell")


@pytest.mark.parametrize("settings", [{}, {"sandbox": "landlock"}, {"insecure_no_sandbox": True}])
def test_killed_supervisor_leaves_no_process_and_a_true_end(executor, settings):
    executor.start(warm_cells=1, **settings)
    stream = executor.stub.StartTask(executor.request(STUBBORN))
    until(stream, "interim_result")
    below = psutil.Process(executor.process.pid).children(recursive=True)
    # bubblewrap and its init, the zygote, a stub, an init and a program; or a reaper and no init of the cell
    assert len(below) >= (4 if settings else 6)
    executor.stop(signal.SIGKILL)
    assert psutil.wait_procs(below, timeout=20)[1] == []
    assert len(list(executor.folder.glob("spool/*.spool"))) == 1
    executor.start(warm_cells=0)
    assert executor.run(RETURN_ONE)[-1].ended.state == JOB_STATE_COMPLETED


def test_job_is_refused_and_never_runs_outside_when_namespaces_are_refused(unprivileged_folder):
    executor = Executor(unprivileged_folder, command_in_a_user_namespace)
    try:
        executor.start(warm_cells=0)
        assert executor.run(RETURN_ONE)[-1].ended.state == JOB_STATE_COMPLETED

        allow_user_namespaces(executor.process.pid, 0)
        for _ in range(2):
            events = executor.run(RETURN_ONE)
            assert reason(events) == "EXECUTOR_LOST"
            assert not any(event.HasField("final_result") or event.HasField("started") for event in events)
        allow_user_namespaces(executor.process.pid, 1000)
        assert executor.run(RETURN_ONE)[-1].ended.state == JOB_STATE_COMPLETED
    finally:
        executor.stop(signal.SIGKILL)


def test_zygote_with_a_second_thread_makes_no_cell(unprivileged_python):
    completed = unprivileged_python("-c", ZYGOTE_WITH_A_THREAD)
    assert completed.returncode == 1
    assert "the zygote has 2 threads; it may have one" in completed.stderr


@pytest.mark.timeout(120 + 2 * JOBS)
def test_many_jobs_leave_nothing(arena):
    """Descriptors, mounts, groups and files stay exactly what they were; memory and kernel objects nearly."""
    for _ in range(SETTLING_JOBS):
        arena.run_canary()
    before, sizes, objects = arena.settled_traces(), memory(arena), kernel_objects()
    for _ in range(JOBS):
        arena.run_canary()
    arena.check_traces(before)
    for name, size in memory(arena).items():
        assert size - sizes[name] < 16 * MEBIBYTE + JOBS * 1024, name
    for name, count in kernel_objects().items():
        assert count - objects[name] < 200 + JOBS // 10, name


def memory(arena: Arena) -> dict[str, int]:
    return {name: arena.server(name).memory_info().rss for name in ("gateway", "supervisor", "zygote")}


def kernel_objects() -> dict[str, int]:
    """How many namespaces the kernel holds, where it says so: also those that no process is in."""
    try:
        lines = Path("/proc/slabinfo").read_text().splitlines()
    except OSError:
        return {}
    counts = {line.split()[0]: int(line.split()[1]) for line in lines[2:]}
    return {name: counts[name] for name in NAMESPACES_OF_THE_KERNEL if name in counts}


def command_in_a_user_namespace(*arguments: str, writable: tuple[Path, ...] = ()) -> list[str]:
    helper = Path(__file__).with_name("user_namespace.py")
    command = [sys.executable, str(helper), sys.executable, *arguments]
    return command_as(EXECUTOR_UID, command, (*writable, helper))


def allow_user_namespaces(pid: int, count: int) -> None:
    """Sets how many user namespaces there may be below the one of a process."""
    subprocess.run([sys.executable, "-c", SET_LIMIT, str(pid), str(count)], check=True)
