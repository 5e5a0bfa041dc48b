"""Programs that are cancelled or out of time: interrupted, then terminated, then ended with their cell."""

import signal
import time

import psutil
import pytest
from google.protobuf.duration_pb2 import Duration
from integration.executor_driver import events_of, executor_of_its_own, reason, until

from aerlock import codec
from aerlock.v1 import jobs_pb2
from aerlock_executor.v1 import executor_pb2

GRACE = 4.0
WAITS = """
import time

def main(backend, user_messenger):
    user_messenger.publish("started")
    time.sleep(600)
"""
PUBLISHES_WHAT_IT_HAS = """
import time

def main(backend, user_messenger):
    try:
        user_messenger.publish("started")
        time.sleep(600)
    except KeyboardInterrupt:
        user_messenger.publish("what I have")
        return "a part"
"""
IGNORES_SIGINT = """
import signal, time

def main(backend, user_messenger):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, on_terminate)
    messenger = globals()["messenger"] = user_messenger
    messenger.publish("started")
    while True:
        time.sleep(600)

def on_terminate(number, frame):
    messenger.publish("terminated")
"""
PUBLISHES_ALWAYS = """
def main(backend, user_messenger):
    number = 0
    large = "x" * 300_000
    while True:
        user_messenger.publish([number, large if number % 7 == 0 else ""])
        number += 1
"""
PUBLISHES_LARGE = """
import numpy as np

def main(backend, user_messenger):
    user_messenger.publish("started")
    large = np.arange(500_000)
    try:
        while True:
            large[0] += 1
            user_messenger.publish(large)
    except KeyboardInterrupt:
        user_messenger.publish("what I have")
"""


@pytest.fixture(scope="module")
def executor():
    with executor_of_its_own() as executor:
        executor.start(warm_cells=0, slots=4, cancel_grace=GRACE)
        yield executor


def start(executor, source, count=1, **fields):
    """A task that has published ``count`` results: its id, its stream, and its events so far."""
    request = executor.request(source, **fields)
    stream = executor.stub.StartTask(request)
    return request.task_id, stream, until(stream, "interim_result", count)


def cancel(executor, task_id):
    executor.stub.CancelTask(executor_pb2.CancelTaskRequest(task_id=task_id))


def results(events):
    return [codec.from_value(event.interim_result) for event in events if event.HasField("interim_result")]


def check_cancelled(events):
    """Cancelled, with no other end, no final result, and no failure."""
    assert [event.HasField("ended") for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1].ended.state == jobs_pb2.JOB_STATE_CANCELLED
    assert not events[-1].ended.HasField("failure")
    assert not any(event.HasField("final_result") for event in events)


def programs(executor):
    return len(psutil.Process(executor.process.pid).children(recursive=True))


def test_interrupted_program_ends_before_the_grace_is_over(executor):
    idle = programs(executor)
    task_id, stream, before = start(executor, WAITS)
    cancelled = time.monotonic()
    cancel(executor, task_id)
    check_cancelled(before + events_of(stream))
    assert time.monotonic() - cancelled < GRACE
    assert programs(executor) == idle


def test_interrupted_program_publishes_what_it_has_and_its_return_value_does_not_count(executor):
    task_id, stream, before = start(executor, PUBLISHES_WHAT_IT_HAS)
    cancel(executor, task_id)
    events = before + events_of(stream)
    check_cancelled(events)
    assert results(events) == ["started", "what I have"]


def test_program_that_goes_on_is_terminated_and_then_ended_whatever_is_asked_meanwhile(executor):
    idle = programs(executor)
    task_id, stream, before = start(executor, IGNORES_SIGINT)
    cancel(executor, task_id)
    began = time.monotonic()
    cancel(executor, task_id)
    events = until(stream, "interim_result")
    cancel(executor, task_id)
    terminated = time.monotonic()
    assert terminated - began > GRACE / 2
    events = before + events + events_of(stream)
    check_cancelled(events)
    assert results(events) == ["started", "terminated"]
    assert programs(executor) == idle


def test_time_limit_interrupts_too_and_is_the_reason(executor):
    limits = executor_pb2.TaskLimits(wall_time=Duration(seconds=1))
    events = executor.run(PUBLISHES_WHAT_IT_HAS, limits=limits)
    assert results(events) == ["started", "what I have"]
    assert reason(events) == "TIME_LIMIT"
    assert not any(event.HasField("final_result") for event in events)


def test_cancellation_during_the_grace_of_a_time_limit_changes_nothing(executor):
    limits = executor_pb2.TaskLimits(wall_time=Duration(seconds=1))
    task_id, stream, _ = start(executor, IGNORES_SIGINT, limits=limits)
    until(stream, "interim_result")
    cancel(executor, task_id)
    assert reason(events_of(stream)) == "TIME_LIMIT"


@pytest.mark.parametrize("count", range(5, 9))
def test_signal_tears_no_frame(executor, count):
    task_id, stream, before = start(executor, PUBLISHES_ALWAYS, count)
    cancel(executor, task_id)
    events = before + events_of(stream)
    check_cancelled(events)
    assert [number for number, _ in results(events)] == list(range(len(results(events))))


def test_signal_within_a_large_value_leaves_the_pipe_usable(executor):
    for _ in range(3):
        task_id, stream, before = start(executor, PUBLISHES_LARGE, 2)
        cancel(executor, task_id)
        events = before + events_of(stream)
        check_cancelled(events)
        last = [event.interim_result for event in events if event.HasField("interim_result")][-1]
        assert last.string_value == "what I have"


def cancel_before_its_cell(executor):
    """The events of a task that is cancelled while no cell can be made."""
    bubblewrap = psutil.Process(executor.process.pid).children()[0]
    (zygote,) = bubblewrap.children()[0].children()
    zygote.suspend()
    try:
        request = executor.request(WAITS)
        stream = executor.stub.StartTask(request)
        while not executor.stub.ListTasks(executor_pb2.ListTasksRequest()).tasks:
            pass
        cancel(executor, request.task_id)
    finally:
        zygote.resume()
    return events_of(stream)


def test_task_that_is_cancelled_before_its_cell_is_there_runs_nothing(executor):
    events = cancel_before_its_cell(executor)
    check_cancelled(events)
    assert results(events) == []


def test_task_that_is_cancelled_before_its_cell_is_there_is_no_warning_to_the_operator(capfd):
    with executor_of_its_own() as executor:
        executor.start(warm_cells=0)
        check_cancelled(cancel_before_its_cell(executor))
        executor.stop()
    told = [line for line in capfd.readouterr().err.splitlines() if "aerlock_executor.task:" in line]
    assert len(told) == 1, told
    assert " INFO " in told[0]
    assert "was stopped before it had a cell" in told[0]


def test_cancelled_aer_run_ends_by_the_terminating_signal(executor):
    source = """
from qiskit.circuit.library import quantum_volume

def main(backend, user_messenger):
    circuit = quantum_volume(22, 100, seed=1)
    circuit.measure_all()
    user_messenger.publish("started")
    backend.run(circuit.decompose(), shots=1).result()
"""
    task_id, stream, before = start(executor, source)
    cancel(executor, task_id)
    check_cancelled(before + events_of(stream))


def test_program_of_an_executor_that_ignores_sigint_is_interrupted():
    """As shells start what runs in the background."""
    source = "import signal\ndef main(backend, user_messenger):\n    return str(signal.getsignal(2))\n"
    with executor_of_its_own() as executor:
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            executor.start(warm_cells=0)
        finally:
            signal.signal(signal.SIGINT, previous)
        (final,) = [event for event in executor.run(source) if event.HasField("final_result")]
    assert "default_int_handler" in final.final_result.string_value
