"""Cells in control groups of their own: what they use, what they may, and that nothing stays."""

import json
import signal
import subprocess

import pytest
from integration.executor_driver import delegable, executor_of_its_own, groups_of_cells

from aerlock.cgroup_hierarchies import DELEGATED, own_hierarchies, remove_delegated
from aerlock.v1 import jobs_pb2

MEBIBYTE = 1 << 20
USES_MEMORY = """
import numpy

def main(backend, user_messenger):
    numpy.ones(80 * 2**20 // 8)
"""
SPINS = """
import time

def main(backend, user_messenger):
    while time.process_time() < 2:
        pass
"""
# Enters the group whose doors are its descriptors, and touches memory that the group must not have.
GREEDY = """
import os, sys
for door in sys.argv[1].split():
    os.write(int(door), b"0")
print("in", flush=True)
input()
memory = bytearray(512 * 2**20)
for start in range(0, len(memory), 4096):
    memory[start] = 1
"""
DRIVER = """
import json, subprocess, sys
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cgroups import Cgroups

MIB = 2**20
groups = Cgroups.find()
group = groups.create(CellLimits(128 * MIB, MIB, 1024, 32, 64))
doors = group.open_doors()
greedy = [sys.executable, "-c", sys.argv[1], " ".join(map(str, doors))]
process = subprocess.Popen(greedy, stdin=-1, stdout=-1, text=True, pass_fds=doors)
process.stdout.readline()
group.begin()
group.lower(64 * MIB, 0)
process.communicate("\\n")
usage = group.usage()
groups.discard(group)
left = not any(path.exists() for path in group.paths)
print(json.dumps([sorted(groups.controllers), process.returncode, usage.peak_memory_bytes,
                  usage.out_of_memory, left]))
"""


@pytest.fixture
def executor():
    with executor_of_its_own() as executor:
        yield executor


def test_usage_is_the_jobs_own(executor):
    executor.start(warm_cells=1)
    usage = executor.run(USES_MEMORY)[-1].ended.usage
    # A few pages fit into what the cell had freed by then.
    assert usage.peak_memory_bytes >= 79 * MEBIBYTE
    if "memory" in delegable():
        assert usage.peak_memory_bytes < 110 * MEBIBYTE
    spinning = executor.run(SPINS)[-1].ended.usage
    assert 1 <= spinning.cpu_time.ToTimedelta().total_seconds() < 3


def test_groups_go_with_their_cells(executor):
    executor.start(slots=2, warm_cells=0)
    for _ in range(3):
        assert executor.run(USES_MEMORY)[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
    pid = executor.process.pid
    executor.stop()
    assert groups_of_cells(pid) == []


def test_groups_of_an_executor_that_was_killed_are_removed_by_the_next(executor):
    executor.start(warm_cells=1)
    killed = executor.process.pid
    assert bool(groups_of_cells(killed)) == bool(delegable())
    executor.stop(signal.SIGKILL)
    executor.start(warm_cells=0)
    assert executor.run(USES_MEMORY)[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
    assert groups_of_cells(killed) == []


def test_group_ends_who_takes_more_than_it_may(unprivileged_command):
    command = unprivileged_command("-c", DRIVER, GREEDY)
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    controllers, status, peak, out_of_memory, gone = json.loads(done.stdout)
    assert set(controllers) >= delegable()
    assert gone
    if "memory" in controllers:
        assert (status, out_of_memory) == (-signal.SIGKILL, True)
        assert 64 * MEBIBYTE < peak < 160 * MEBIBYTE
    else:
        assert (status, out_of_memory) == (0, False)


def test_server_that_ends_leaves_the_groups_of_others_alone(executor):
    executor.start(warm_cells=1)
    others = groups_of_cells(executor.process.pid)
    for hierarchy in own_hierarchies():
        if "memory" in delegable() and "memory" in hierarchy.controllers:
            others.append(hierarchy.group / DELEGATED / f"cell-{executor.process.pid}-about-to-be-entered")
            others[-1].mkdir()
    remove_delegated()
    assert all(path.is_dir() for path in others)
    for path in others[-1:]:
        path.rmdir()
    assert executor.run(USES_MEMORY)[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
