"""What a job used, measured outside of its program: the job's own use, and not that of its cell before."""

import time

import pytest

from aerlock import codec

MIB = 1 << 20


def run(executor, body):
    """Runs a main with this body; its usage, and what it returned."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    events = executor.run(f"import time\n\ndef main(backend, user_messenger):\n{lines}")
    results = [codec.from_value(event.final_result) for event in events if event.HasField("final_result")]
    return events[-1].ended.usage, results[0] if results else None


def test_cpu_time_is_the_programs_and_not_its_cells(executor):
    body = """
before = time.process_time()
while time.process_time() - before < 0.5:
    pass
return time.process_time() - before, time.process_time()
"""
    usage, (spent, spent_by_the_cell) = run(executor, body)
    assert spent <= usage.cpu_time.ToNanoseconds() / 1e9 < spent_by_the_cell


def test_cpu_time_of_all_threads_counts(executor):
    body = """
import threading, hashlib
def work():
    for _ in range(20):
        hashlib.sha256(bytes(10_000_000)).digest()
threads = [threading.Thread(target=work) for _ in range(2)]
before = time.process_time()
for thread in threads: thread.start()
for thread in threads: thread.join()
return time.process_time() - before
"""
    usage, spent = run(executor, body)
    assert usage.cpu_time.ToNanoseconds() / 1e9 >= spent


@pytest.mark.parametrize("end", ["return None", "raise ValueError", "import os; os.abort()"])
def test_peak_memory_is_what_the_program_took(executor, end):
    usage, _ = run(executor, f"x = bytearray({100 * MIB})\ndel x\n{end}")
    # A few pages fit into what the cell had freed by then.
    assert 99 * MIB <= usage.peak_memory_bytes < 150 * MIB


def test_small_program_has_none_of_the_memory_that_cells_share(executor):
    usage, _ = run(executor, "return 1")
    assert usage.peak_memory_bytes < 50 * MIB


def test_stages_are_within_the_time_that_passed_outside(executor):
    began = time.monotonic()
    usage, slept = run(
        executor, "before = time.monotonic()\ntime.sleep(0.2)\nreturn time.monotonic() - before"
    )
    passed = time.monotonic() - began
    startup, wall = usage.startup_time.ToNanoseconds() / 1e9, usage.wall_time.ToNanoseconds() / 1e9
    assert startup > 0
    assert slept <= wall
    assert startup + wall <= passed


def test_output_bytes_are_of_results_and_logs(executor):
    small, _ = run(executor, "user_messenger.publish(b'')\nreturn b''")
    body = "import os\nos.write(1, bytes(1000))\nos.write(2, bytes(300))\n"
    large, _ = run(executor, f"{body}user_messenger.publish(bytes(20))\nreturn bytes(4)")
    assert large.output_bytes == small.output_bytes + 1324
