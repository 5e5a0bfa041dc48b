"""The executor as a process, dialled as the gateway dials it."""

import os
import signal
import subprocess
import sys
import threading

import grpc
import psutil
import pytest
from google.protobuf.duration_pb2 import Duration
from integration.executor_driver import Executor, events_of, reason, until

from aerlock.v1 import jobs_pb2
from aerlock.v1.limits_pb2 import ResourceLimits
from aerlock_executor.v1 import executor_pb2

PUBLISH_AND_HANG = """
import time

def main(backend, user_messenger):
    for number in range(3):
        user_messenger.publish(number)
    time.sleep(600)
"""


def alive(processes):
    """Those that still run; a zombie only waits for its parent."""
    return [
        process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]


def descendants(executor):
    """The processes of the executor's cells, from outside."""
    return psutil.Process(executor.process.pid).children(recursive=True)


@pytest.fixture
def executor(unprivileged_folder, unprivileged_command):
    executor = Executor(unprivileged_folder, unprivileged_command)
    yield executor
    executor.stop(signal.SIGKILL)


def test_events_are_numbered_from_1_and_end_with_the_end(executor):
    executor.start()
    events = executor.run(
        "def main(backend, user_messenger):\n    user_messenger.publish('a')\n    return 'b'\n"
    )
    assert [event.offset for event in events] == [1, 2, 3, 4]
    assert [event.WhichOneof("event") for event in events] == [
        "started",
        "interim_result",
        "final_result",
        "ended",
    ]
    assert events[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED


def test_start_of_a_known_task_attaches_and_runs_nothing_twice(executor):
    executor.start()
    request = executor.request("import os\ndef main(backend, user_messenger):\n    return os.urandom(8)\n")
    first = events_of(executor.stub.StartTask(request))
    assert events_of(executor.stub.StartTask(request)) == first
    attach = executor_pb2.AttachTaskRequest(task_id=request.task_id, after_offset=2)
    assert events_of(executor.stub.AttachTask(attach)) == first[2:]


def test_acknowledged_end_deletes_the_spool(executor):
    executor.start()
    request = executor.request("def main(backend, user_messenger):\n    return 1\n")
    last = events_of(executor.stub.StartTask(request))[-1].offset
    tasks = executor.stub.ListTasks(executor_pb2.ListTasksRequest()).tasks
    assert [(task.task_id, task.last_offset, task.ended) for task in tasks] == [(request.task_id, last, True)]
    executor.stub.AckTask(executor_pb2.AckTaskRequest(task_id=request.task_id, offset=last - 1))
    assert executor.stub.ListTasks(executor_pb2.ListTasksRequest()).tasks
    executor.stub.AckTask(executor_pb2.AckTaskRequest(task_id=request.task_id, offset=last))
    assert not executor.stub.ListTasks(executor_pb2.ListTasksRequest()).tasks
    with pytest.raises(grpc.RpcError) as error:
        events_of(executor.stub.AttachTask(executor_pb2.AttachTaskRequest(task_id=request.task_id)))
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("offset", [-1, 1000])
def test_attach_after_an_offset_that_is_not_there_is_refused(executor, offset):
    executor.start()
    request = executor.request("def main(backend, user_messenger):\n    return 1\n")
    events_of(executor.stub.StartTask(request))
    attach = executor_pb2.AttachTaskRequest(task_id=request.task_id, after_offset=offset)
    with pytest.raises(grpc.RpcError) as error:
        events_of(executor.stub.AttachTask(attach))
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_more_tasks_than_slots_are_refused_and_not_started(executor):
    executor.start(slots=1)
    running = executor.request(PUBLISH_AND_HANG)
    stream = executor.stub.StartTask(running)
    until(stream, "interim_result", 3)
    with pytest.raises(grpc.RpcError) as error:
        executor.run(PUBLISH_AND_HANG)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert [task.task_id for task in executor.stub.ListTasks(executor_pb2.ListTasksRequest()).tasks] == [
        running.task_id
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("task_id", "../escape"),
        ("task_id", ""),
        ("backend_name", "ibmq_fake"),
        ("environment", "no"),
        ("log_level", "LOUD"),
    ],
)
def test_impossible_request_is_refused_and_nothing_is_started(executor, field, value):
    executor.start()
    request = executor.request("def main(backend, user_messenger): pass")
    setattr(request, field, value)
    with pytest.raises(grpc.RpcError) as error:
        events_of(executor.stub.StartTask(request))
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert not executor.stub.ListTasks(executor_pb2.ListTasksRequest()).tasks


def test_cancelled_task_ends_when_its_processes_are_gone(executor):
    executor.start(warm_cells=0)
    idle = len(descendants(executor))
    request = executor.request(PUBLISH_AND_HANG)
    stream = executor.stub.StartTask(request)
    until(stream, "interim_result", 3)
    assert len(descendants(executor)) > idle
    executor.stub.CancelTask(executor_pb2.CancelTaskRequest(task_id=request.task_id))
    events = events_of(stream)
    assert events[-1].ended.state == jobs_pb2.JOB_STATE_CANCELLED
    assert len(descendants(executor)) == idle


def test_wall_time_limit_ends_the_task_and_keeps_what_it_published(executor):
    executor.start()
    limits = executor_pb2.TaskLimits(wall_time=Duration(seconds=1))
    events = executor.run(PUBLISH_AND_HANG, limits=limits)
    assert [event.interim_result.int_value for event in events if event.HasField("interim_result")] == [
        0,
        1,
        2,
    ]
    assert reason(events) == "TIME_LIMIT"
    assert events[-1].ended.failure.limit == 1.0
    assert "maximum execution time of 1 s" in events[-1].ended.failure.message


@pytest.mark.parametrize(("own", "asked"), [(1, 60), (60, 1), (1, 0)])
def test_smaller_of_two_time_limits_counts(executor, own, asked):
    executor.start(max_execution_time=own)
    limits = executor_pb2.TaskLimits(wall_time=Duration(seconds=asked))
    assert executor.run(PUBLISH_AND_HANG, limits=limits)[-1].ended.failure.limit == 1.0


def test_task_cannot_ask_for_more_than_the_executor_gives(executor):
    executor.start(
        max_execution_time=60, memory_bytes=128 << 20, result_bytes=1 << 20, log_bytes=1000, cpu_seconds=1
    )
    asked = executor_pb2.TaskLimits(
        wall_time=Duration(seconds=600),
        resources=ResourceLimits(
            cpu_time=Duration(seconds=600), memory_bytes=1 << 40, result_bytes=1 << 40, log_bytes=1 << 40
        ),
    )
    main = "def main(backend, user_messenger):\n    "
    bodies = {
        "MEMORY_LIMIT": "return len(bytearray(512 << 20))",
        "OUTPUT_LIMIT": "while True: user_messenger.publish(bytes(10_000))",
        "CPU_LIMIT": "while True: pass",
    }
    for expected, body in bodies.items():
        assert reason(executor.run(main + body, limits=asked)) == expected
    logs = executor.run(f"{main}print('x' * 5000)", limits=asked)
    assert sum(len(event.log_output.data) for event in logs) == 1000


def test_cpu_time_limit_ends_the_task(executor):
    executor.start()
    limits = executor_pb2.TaskLimits(resources=ResourceLimits(cpu_time=Duration(seconds=1)))
    events = executor.run("def main(backend, user_messenger):\n    while True: pass\n", limits=limits)
    assert reason(events) == "CPU_LIMIT"


def test_results_beyond_the_limit_end_the_task(executor):
    executor.start()
    source = "def main(backend, user_messenger):\n    while True: user_messenger.publish(bytes(10_000))\n"
    events = executor.run(
        source, limits=executor_pb2.TaskLimits(resources=ResourceLimits(result_bytes=1 << 20))
    )
    assert reason(events) == "OUTPUT_LIMIT"
    assert sum(len(event.interim_result.bytes_value) for event in events) <= 1 << 20


def test_logs_are_kept_by_stream(executor):
    executor.start()
    source = """
import logging, sys, warnings

def main(backend, user_messenger):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    warnings.warn("a warning")
    logging.info("an info")
    logging.error("an error")
"""
    events = executor.run(source, log_level="ERROR")
    logs = [event.log_output for event in events if event.HasField("log_output")]
    stdout = b"".join(log.data for log in logs if log.source == jobs_pb2.LOG_SOURCE_STDOUT)
    stderr = b"".join(log.data for log in logs if log.source == jobs_pb2.LOG_SOURCE_STDERR)
    assert stdout == b"to stdout\n"
    assert stderr.startswith(b"to stderr\n")
    assert b"a warning" in stderr
    assert b"an error" in stderr
    assert b"an info" not in stderr


def test_logs_beyond_the_cap_are_counted_and_dropped_with_one_marker(executor):
    executor.start()
    source = """
def main(backend, user_messenger):
    for _ in range(300):
        print("x" * 1000)
"""
    events = executor.run(source, limits=executor_pb2.TaskLimits(resources=ResourceLimits(log_bytes=100_000)))
    logs = [event.log_output for event in events if event.HasField("log_output")]
    assert sum(len(log.data) for log in logs) == 100_000
    assert sum(log.dropped_bytes > 0 for log in logs) == 1
    assert events[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
    assert events[-1].ended.usage.output_bytes > 300_000


def test_killed_executor_leaves_a_spool_that_the_next_one_serves_to_a_true_end(executor):
    executor.start()
    request = executor.request(PUBLISH_AND_HANG)
    before = until(executor.stub.StartTask(request), "interim_result", 3)
    cells = descendants(executor)
    executor.stop(signal.SIGKILL)
    psutil.wait_procs(cells, timeout=10)
    assert not alive(cells)
    executor.start()
    after = events_of(executor.stub.AttachTask(executor_pb2.AttachTaskRequest(task_id=request.task_id)))
    assert after[:-1] == before
    assert [event.offset for event in after] == list(range(1, len(after) + 1))
    assert reason(after) == "EXECUTOR_LOST"


def test_stopped_executor_ends_its_tasks_and_leaves_nothing(executor):
    executor.start()
    request = executor.request(PUBLISH_AND_HANG)
    stream = executor.stub.StartTask(request)
    until(stream, "interim_result", 3)
    cells = descendants(executor)

    rest = []
    reader = threading.Thread(target=lambda: rest.extend(events_of(stream)))
    executor.process.send_signal(signal.SIGTERM)
    reader.start()
    executor.process.wait(timeout=30)
    reader.join()
    assert reason(rest) == "EXECUTOR_LOST"
    assert not alive(cells)
    assert not (executor.folder / "executor.sock").exists()


def test_killed_zygote_ends_the_task_and_the_next_one_runs(executor):
    executor.start(warm_cells=0)
    stream = executor.stub.StartTask(executor.request(PUBLISH_AND_HANG))
    until(stream, "interim_result", 3)
    bubblewrap = psutil.Process(executor.process.pid).children()[0]
    bubblewrap.kill()
    assert reason(events_of(stream)) == "EXECUTOR_LOST"
    events = executor.run("def main(backend, user_messenger):\n    return 1\n")
    assert events[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused as root")
def test_root_is_refused(tmp_path):
    command = [sys.executable, "-m", "aerlock_executor", "serve", "--data-dir", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert result.returncode == 1
    assert "aerlock executor" in result.stderr
    assert "Traceback" not in result.stderr


def test_second_executor_on_the_same_data_is_refused(executor, unprivileged_python):
    executor.start()
    result = unprivileged_python(
        *("-m", "aerlock_executor", "serve", "--data-dir", str(executor.folder)),
        *("--socket", str(executor.folder / "second.sock")),
        writable=(executor.folder,),
    )
    assert result.returncode == 1
    assert "another server has --data-dir" in result.stderr
    assert "Traceback" not in result.stderr


def test_socket_path_that_is_too_long_is_refused_with_a_sentence(unprivileged_folder, unprivileged_python):
    socket = unprivileged_folder / ("x" * 120)
    result = unprivileged_python(
        *("-m", "aerlock_executor", "serve", "--data-dir", str(unprivileged_folder), "--socket", str(socket)),
        writable=(unprivileged_folder,),
    )
    assert result.returncode == 2
    assert "longer than 107 bytes" in result.stderr


def zygotes(executor):
    """The processes that cells are forked from, inside their bubblewrap."""
    return {
        process.pid
        for process in descendants(executor)
        if process.parent().name() == "bwrap" != process.name()
    }


def test_zygote_is_replaced_and_lives_on_for_the_jobs_that_it_has(executor):
    executor.start(slots=4, warm_cells=1, zygote_jobs=3)
    (first,) = zygotes(executor)
    request = executor.request(PUBLISH_AND_HANG)
    stream = executor.stub.StartTask(request)
    until(stream, "interim_result", 3)
    while len(zygotes(executor)) < 2:
        assert executor.run("def main(*_): pass")[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
    assert first in zygotes(executor)
    old = psutil.Process(first)
    executor.stub.CancelTask(executor_pb2.CancelTaskRequest(task_id=request.task_id))
    assert events_of(stream)[-1].ended.state == jobs_pb2.JOB_STATE_CANCELLED
    psutil.wait_procs([old], timeout=30)
    assert not alive([old])
    assert executor.run("def main(*_): pass")[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
