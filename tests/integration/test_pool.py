"""The pool: it is full again whatever the system has refused meanwhile."""

import time

import psutil
import pytest
from integration.executor_driver import events_of, executor_of_its_own, groups_of_cells, reason, until

from aerlock.v1 import jobs_pb2
from aerlock_executor.v1.executor_pb2 import CancelTaskRequest

WAITS = """
import time

def main(backend, user_messenger):
    user_messenger.publish(1)
    time.sleep(600)
"""
RETURNS = "def main(backend, user_messenger):\n    return 1\n"
# Fewer than the pipes of a cell take while it is made, and enough with those that a job gives back.
DESCRIPTORS_LEFT = 6


@pytest.fixture
def executor():
    with executor_of_its_own() as executor:
        yield executor


def processes_of(executor):
    return len(psutil.Process(executor.process.pid).children(recursive=True))


def until_processes(executor, count, seconds=60):
    deadline = time.monotonic() + seconds
    while processes_of(executor) != count:
        assert time.monotonic() < deadline, f"{processes_of(executor)} processes in place of {count}"
        time.sleep(0.05)


def test_pool_is_full_again_after_the_system_had_no_descriptors(executor):
    executor.start(slots=2, warm_cells=1)
    idle = processes_of(executor)
    assert executor.run(RETURNS)[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
    until_processes(executor, idle)
    # A cell is made with one more for each of its control groups.
    left = DESCRIPTORS_LEFT + len(groups_of_cells(executor.process.pid))
    descriptors = psutil.Process(executor.process.pid).num_fds()
    executor.stop()
    executor.start(("prlimit", f"--nofile={descriptors + left}"), slots=2, warm_cells=1, cancel_grace=0)
    waiting = executor.request(WAITS)
    stream = executor.stub.StartTask(waiting)
    until(stream, "interim_result")
    assert reason(executor.run(RETURNS)) == "EXECUTOR_LOST"  # neither for it nor for the pool
    executor.stub.CancelTask(CancelTaskRequest(task_id=waiting.task_id))
    assert events_of(stream)[-1].ended.state == jobs_pb2.JOB_STATE_CANCELLED
    until_processes(executor, idle)
