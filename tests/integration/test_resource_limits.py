"""Every limit of a task: its reason, its sentence, limit and use; and that no program gets round it."""

import textwrap

import pytest
from google.protobuf.duration_pb2 import Duration
from integration.executor_driver import reason

from aerlock import codec
from aerlock.v1 import jobs_pb2
from aerlock.v1.limits_pb2 import ResourceLimits
from aerlock_executor.v1.executor_pb2 import TaskLimits

MIB = 1 << 20
SPIN = "while True: pass"
THREADS = """
import threading
release = threading.Event()
for _ in range(200):
    threading.Thread(target=release.wait, daemon=True).start()
"""
FILL = """
with open("/tmp/full", "wb") as file:
    while True: file.write(bytes(1 << 16))
"""
FILES = "for number in range(100_000): open(f'/tmp/{number}', 'w').close()"
OPEN = "files = [open('/dev/null') for _ in range(10_000)]"
# field, limit, what the program does, reason, a part of the sentence
LIMITS = [
    ("cpu_time", 1, SPIN, "CPU_LIMIT", "s of CPU time; the limit is 1 s"),
    ("memory_bytes", 64 * MIB, "return len(bytearray(65 << 20))", "MEMORY_LIMIT", "the limit is 67,108,864."),
    ("threads", 8, THREADS, "THREAD_LIMIT", "another thread; it used 8 threads, and the limit is 8."),
    ("scratch_bytes", MIB, FILL, "SCRATCH_BYTES_LIMIT", "used 1,048,576 bytes, and the limit is 1,048,576."),
    ("scratch_files", 16, FILES, "SCRATCH_FILES_LIMIT", "it used 16 files, and the limit is 16."),
    ("open_files", 32, OPEN, "OPEN_FILES_LIMIT", "it used 32 file descriptors, and the limit is 32."),
    ("result_bytes", 1 << 10, "return bytes(2000)", "OUTPUT_LIMIT", "bytes; the limit is 1,024."),
    (
        "events_per_second",
        2,
        "for number in range(11): user_messenger.publish(number)",
        "EVENT_RATE_LIMIT",
        "published 11 results in 0.",
    ),
]
NAMES = [limit[0] for limit in LIMITS]


def program(body):
    return "def main(backend, user_messenger):\n" + textwrap.indent(body, "    ")


def limits(**fields):
    if "cpu_time" in fields:
        fields["cpu_time"] = Duration(seconds=fields["cpu_time"])
    return TaskLimits(resources=ResourceLimits(**fields))


def result_of(events):
    ended = events[-1].ended
    assert ended.state == jobs_pb2.JOB_STATE_COMPLETED, ended.failure
    (final,) = (event.final_result for event in events if event.HasField("final_result"))
    return codec.from_value(final)


@pytest.mark.parametrize(("field", "limit", "body", "expected", "sentence"), LIMITS, ids=NAMES)
def test_job_at_its_limit_fails_with_limit_and_use(executor, field, limit, body, expected, sentence):
    events = executor.run(program(body), limits=limits(**{field: limit}))
    failure = events[-1].ended.failure
    assert reason(events) == expected, failure
    assert sentence in failure.message
    assert failure.limit == limit
    assert failure.used > 0
    if field not in ("memory_bytes",):
        assert failure.used >= 0.9 * limit
    assert all(
        "/" not in line or "program.py" in line for line in failure.traceback.splitlines() if "File" in line
    )
