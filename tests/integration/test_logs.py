"""What programs write: every byte of it, live, by source, merged and capped."""

import itertools

import pytest
from integration.executor_driver import events_of, until

from aerlock.v1.jobs_pb2 import JOB_STATE_COMPLETED, LOG_SOURCE_STDERR, LOG_SOURCE_STDOUT
from aerlock.v1.limits_pb2 import ResourceLimits
from aerlock_executor.v1.executor_pb2 import CancelTaskRequest, TaskLimits

KIB = 1 << 10


@pytest.fixture
def logs_of(executor):
    """Runs a main with this body, which must complete; its events of log output."""

    def run(body, **fields):
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        modules = "import logging, os, sys, threading, time, warnings"
        source = f"{modules}\ndef main(backend, user_messenger):\n{lines}"
        events = executor.run(source, **fields)
        assert events[-1].ended.state == JOB_STATE_COMPLETED, events[-1]
        return [event for event in events if event.HasField("log_output")]

    return run


def joined(events, source):
    return b"".join(event.log_output.data for event in events if event.log_output.source == source)


def test_every_byte_is_kept_whatever_it_is(logs_of):
    logs = logs_of("os.write(1, bytes(range(256)) * 1000)\nos.write(2, b'\\x00\\xff' * 5000)")
    assert joined(logs, LOG_SOURCE_STDOUT) == bytes(range(256)) * 1000
    assert joined(logs, LOG_SOURCE_STDERR) == b"\x00\xff" * 5000


def test_huge_line_is_kept_in_events_of_at_most_32_kib(logs_of):
    logs = logs_of("print('x' * 3_000_000, end='')")
    assert joined(logs, LOG_SOURCE_STDOUT) == b"x" * 3_000_000
    assert max(len(event.log_output.data) for event in logs) <= 32 * KIB
    assert len(logs) <= 2 * 3_000_000 // (32 * KIB)


def test_many_small_writes_become_few_events_in_their_order(logs_of):
    logs = logs_of("for number in range(2000): print(number)")
    assert joined(logs, LOG_SOURCE_STDOUT) == b"".join(b"%d\n" % number for number in range(2000))
    assert len(logs) < 200
    times = [event.time.ToNanoseconds() for event in logs]
    assert times == sorted(times)


def test_writes_to_both_streams_that_are_apart_keep_their_order(logs_of):
    body = """
for number in range(3):
    os.write(1, b"out")
    time.sleep(0.3)
    os.write(2, b"err")
    time.sleep(0.3)
"""
    logs = logs_of(body)
    assert [event.log_output.data for event in logs] == [b"out", b"err"] * 3
    times = [event.time.ToNanoseconds() for event in logs]
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0


def test_output_is_seen_while_the_program_runs(executor):
    source = "import time\ndef main(backend, user_messenger):\n    print('live')\n    time.sleep(600)\n"
    request = executor.request(source)
    stream = executor.stub.StartTask(request)
    before = until(stream, "log_output")
    assert joined([event for event in before if event.HasField("log_output")], LOG_SOURCE_STDOUT) == b"live\n"
    executor.stub.CancelTask(CancelTaskRequest(task_id=request.task_id))
    assert events_of(stream)[-1].HasField("ended")


@pytest.mark.parametrize(
    ("level", "seen"),
    [("DEBUG", 5), ("INFO", 4), ("WARNING", 3), ("", 3), ("ERROR", 2), ("CRITICAL", 1)],
)
def test_log_level_filters_logging_alone(logs_of, level, seen):
    body = """
log = logging.getLogger("mine")
for number, name in enumerate(("critical", "error", "warning", "info", "debug")):
    getattr(log, name)(f"level-{name}")
warnings.warn("a warning of Python")
print("printed")
print("to stderr", file=sys.stderr)
"""
    logs = logs_of(body, log_level=level)
    assert joined(logs, LOG_SOURCE_STDOUT) == b"printed\n"
    stderr = joined(logs, LOG_SOURCE_STDERR)
    assert stderr.count(b"level-") == seen
    assert b"CRITICAL:mine:level-critical\n" in stderr
    assert b"UserWarning: a warning of Python" in stderr
    assert b"to stderr\n" in stderr


def test_what_the_program_has_not_flushed_is_kept(logs_of):
    logs = logs_of("sys.stdout = open(1, 'w', buffering=100_000, closefd=False)\nprint('late')")
    assert joined(logs, LOG_SOURCE_STDOUT) == b"late\n"


def test_output_of_threads_up_to_the_return_is_kept_whole(logs_of):
    body = """
def write(letter):
    for _ in range(200):
        os.write(1, letter * 50 + b"\\n")
threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
for thread in threads: thread.start()
for thread in threads: thread.join()
threading.Thread(target=time.sleep, args=(600,)).start()
"""
    lines = joined(logs_of(body), LOG_SOURCE_STDOUT).splitlines()
    assert sorted(lines) == sorted([letter * 50 for letter in (b"a", b"b", b"c") for _ in range(200)])


def test_marker_is_where_the_cap_is_and_says_how_much_was_dropped_by_then(logs_of):
    body = "os.write(1, b'a' * 50_000)\ntime.sleep(0.5)\nfor _ in range(40): os.write(2, b'b' * 10_000)"
    logs = logs_of(body, limits=TaskLimits(resources=ResourceLimits(log_bytes=100_000)))
    assert joined(logs, LOG_SOURCE_STDOUT) == b"a" * 50_000
    assert joined(logs, LOG_SOURCE_STDERR) == b"b" * 50_000
    assert [event.log_output.dropped_bytes > 0 for event in logs] == [False] * (len(logs) - 1) + [True]
    assert logs[-1].log_output.dropped_bytes <= 350_000


def test_closed_streams_lose_nothing_of_what_came_before(logs_of):
    logs = logs_of("print('before')\nos.close(1)\nos.write(2, b'still')\nos.close(2)")
    assert joined(logs, LOG_SOURCE_STDOUT) == b"before\n"
    assert joined(logs, LOG_SOURCE_STDERR) == b"still"
