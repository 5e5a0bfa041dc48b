"""What executor, program and job allow: of each limit the smallest counts; wrong ones are refused by name."""

import json
import re
from pathlib import Path

import pytest
from acceptance.sessions import run_session

from aerlock import InputValueError, ResourceLimits, RuntimeJobFailureError, RuntimeOptions, RuntimeService

MIB = 1 << 20
BACKEND = {"backend_name": "aer_simulator"}
METADATA = {"name": "limited", "description": "Made by a test.", "max_execution_time": 60}
EXECUTOR = {
    "cpu_time": 20,
    "memory_bytes": 256 * MIB,
    "threads": 40,
    "scratch_bytes": 8 * MIB,
    "scratch_files": 200,
    "open_files": 128,
    "result_bytes": 2 * MIB,
    "events_per_second": 20,
    "log_bytes": 20_000,
}
LEVELS = ("executor", "program", "job")
# What a program finds that it may have, in one job; then it publishes or returns too much.
MEASURE = """
import os, resource, threading

def threads():
    release = threading.Event()
    threading.stack_size(1 << 18)  # of the memory, too
    while True:
        try:
            threading.Thread(target=release.wait, daemon=True).start()
        except RuntimeError:
            found = len(os.listdir("/proc/self/task"))
            release.set()
            return found

def memory():
    held = []
    try:
        while True: held.append(bytearray(1 << 20))
    except MemoryError:
        return len(held) << 20

def main(backend, user_messenger, events=0, results=0):
    for number in range(events): user_messenger.publish(number)
    for _ in range(results): user_messenger.publish(bytes(1 << 18))
    if events or results: return None
    print("x" * 30_000)
    scratch = os.statvfs("/tmp")
    return {
        "cpu_time": resource.getrlimit(resource.RLIMIT_CPU)[0],
        "memory_bytes": memory(),
        "threads": threads(),
        "scratch_bytes": scratch.f_blocks * scratch.f_frsize,
        "scratch_files": scratch.f_ffree,
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "aer_memory_mb": backend.options.max_memory_mb,
    }
"""


@pytest.fixture(scope="module")
def limited():
    """A service whose executor has small limits."""
    from aerlock.local_runtime import running_locally

    names = {**EXECUTOR, "cpu_seconds": EXECUTOR["cpu_time"]}
    del names["cpu_time"]
    settings = {f"AERLOCK_EXECUTOR_{name.upper()}": str(limit) for name, limit in names.items()}
    with (
        running_locally(settings) as runtime,
        RuntimeService(address=runtime.address, token=runtime.token) as service,
    ):
        yield service


def with_winners(turn):
    """What program and job say, and the smallest, where the levels take turns to have it."""
    program, job, smallest = {}, {}, {}
    for place, (name, limit) in enumerate(EXECUTOR.items()):
        winner = LEVELS[(place + turn) % len(LEVELS)]
        program[name] = limit // 2 if winner == "program" else limit * 2
        job[name] = limit // 2 if winner == "job" else limit * 3
        smallest[name] = limit if winner == "executor" else limit // 2
    return program, job, smallest


@pytest.mark.parametrize("turn", range(len(LEVELS)))
def test_smallest_of_executor_program_and_job_counts_for_every_limit(limited, turn):
    program, asked, smallest = with_winners(turn)
    program_id = limited.upload_program(MEASURE, METADATA, limits=program)
    options = {**BACKEND, "limits": asked}
    assert limited.program(program_id).limits == ResourceLimits(**program)

    job = limited.run(program_id, options)
    assert job.limits == ResourceLimits(**smallest)
    found = job.result(timeout=60)
    used_before = found["cpu_time"] - smallest["cpu_time"]
    assert 0 <= used_before <= 3
    assert smallest["memory_bytes"] - 8 * MIB <= found["memory_bytes"] <= smallest["memory_bytes"]
    assert found["aer_memory_mb"] == smallest["memory_bytes"] // MIB
    for name in ("threads", "scratch_bytes", "scratch_files", "open_files"):
        assert found[name] == smallest[name], name
    assert job.logs().count("x") == smallest["log_bytes"]
    assert job.warnings() == [
        ("LOG_LIMIT", f"stdout and stderr took 30,001 bytes; the first {smallest['log_bytes']:,} are kept.")
    ]

    most = 5 * smallest["events_per_second"]
    failed = limited.run(program_id, options, {"events": most * 2})
    with pytest.raises(RuntimeJobFailureError) as raised:
        failed.result(timeout=60)
    assert raised.value.reason == "EVENT_RATE_LIMIT"
    assert f"the limit is {smallest['events_per_second']} a second" in raised.value.message
    assert limited.run(program_id, options, {"events": most - 1}).result(timeout=60) is None

    failed = limited.run(program_id, options, {"results": 9})
    with pytest.raises(RuntimeJobFailureError) as raised:
        failed.result(timeout=60)
    assert raised.value.reason == "OUTPUT_LIMIT"
    assert f"more than their limit of {smallest['result_bytes']:,} bytes" in raised.value.message


def test_limits_of_the_executor_are_in_the_servers_information(limited):
    assert ResourceLimits.from_message(limited.server_info().limits) == ResourceLimits(**EXECUTOR)


@pytest.mark.parametrize("level", ["program", "job"])
def test_job_that_runs_out_of_time_is_told_limit_and_use(service, level):
    program_id = service.upload_program(
        "import time\ndef main(backend, user_messenger): time.sleep(60)",
        {**METADATA, "max_execution_time": 1 if level == "program" else 60},
    )
    job = service.run(program_id, {**BACKEND, **({"max_execution_time": 1} if level == "job" else {})})
    sentence = r"maximum execution time of 1 s: it had run 1\.?\d* s"
    with pytest.raises(RuntimeJobFailureError, match=sentence) as raised:
        job.result(timeout=60)
    assert raised.value.reason == "TIME_LIMIT"


WRONG = [
    ("memory_bytes", 1 << 20, "must be at least 67108864 bytes, or 0 for no limit of its own"),
    ("threads", 3, "must be at least 4, or 0 for no limit of its own"),
    ("scratch_bytes", 1000, "must be at least 1048576 bytes"),
    ("scratch_files", 15, "must be at least 16"),
    ("open_files", -1, "must be at least 32"),
    ("result_bytes", 1023, "must be at least 1024 bytes"),
    ("events_per_second", -5, "must be at least 1"),
    ("log_bytes", -(1 << 40), "must be at least 1 bytes"),
    ("threads", 1 << 31, "must be below 2147483648"),
    ("memory_bytes", "2 GiB", "must be an integer"),
    ("open_files", True, "must be an integer"),
    ("cpu_time", -1, "must be a number of seconds above zero"),
    ("cpu_time", float("nan"), "must be a number of seconds above zero"),
]


@pytest.mark.parametrize(("name", "limit", "sentence"), WRONG)
def test_limit_that_cannot_be_is_refused_by_name(service, name, limit, sentence):
    words = re.escape(f"limits.{name} {sentence}")
    with pytest.raises(InputValueError, match=words):
        service.run("hello-world", RuntimeOptions("aer_simulator", limits=ResourceLimits(**{name: limit})))
    with pytest.raises(InputValueError, match=words):
        service.upload_program(MEASURE, METADATA, limits={name: limit})


BESIDE = "max_execution_time belongs beside limits, not in them. There are cpu_time, "
UNKNOWN = [
    ({"memory": 1}, "limits have no 'memory': did you mean memory_bytes? There are cpu_time, memory_bytes, "),
    ({"max_execution_time": 5}, f"limits have no 'max_execution_time': {BESIDE}"),
    ({"timeout": 5}, f"limits have no 'timeout': {BESIDE}"),
    ({"cpu_seconds": 5}, "limits have no 'cpu_seconds': that is cpu_time. There are cpu_time, "),
    ({"opne_files": 99}, "limits have no 'opne_files': did you mean open_files? There are "),
    ({"colour": 1}, "limits have no 'colour': there are cpu_time, memory_bytes, "),
    ({5: 5}, "limits have no 5: there are cpu_time, "),
    (5, "limits must be a dict or ResourceLimits, not int"),
    ([], "limits must be a dict or ResourceLimits, not list"),
    ("none", "limits must be a dict or ResourceLimits, not str"),
]


@pytest.mark.parametrize(("limits", "sentence"), UNKNOWN)
def test_limits_of_unknown_form_are_refused_with_the_cure(service, limits, sentence):
    words = re.escape(sentence)
    with pytest.raises(InputValueError, match=words):
        service.run("hello-world", {**BACKEND, "limits": limits})
    with pytest.raises(InputValueError, match=words):
        service.upload_program(MEASURE, {**METADATA, "limits": limits})


def test_limits_of_a_program_are_kept_changed_shown_and_cleared(service, tmp_path):
    metadata = tmp_path / "metadata.json"
    metadata.write_text(json.dumps({**METADATA, "limits": {"cpu_time": 1.5, "threads": 8}}))
    program_id = service.upload_program(MEASURE, metadata)
    program = service.program(program_id)
    assert program.limits == ResourceLimits(cpu_time=1.5, threads=8)
    assert program.to_dict()["limits"] == {"cpu_time": 1.5, "threads": 8}
    assert "  Limits:\n    Cpu time: 1.5\n    Threads: 8\n" in str(program)
    changed = service.update_program(program_id, limits={"open_files": 64})
    assert (changed.limits, changed.revision) == (ResourceLimits(open_files=64), 2)
    assert service.update_program(program_id, description="Another.").limits == changed.limits
    cleared = service.update_program(program_id, limits={})
    assert (cleared.limits, "Limits" in str(cleared)) == (ResourceLimits(), False)


def test_program_without_limits_is_the_one_that_has_none_of_its_own(service):
    digests = {
        service.program(service.upload_program(MEASURE, METADATA, limits=limits)).content_sha256
        for limits in (None, {}, {"threads": 0}, ResourceLimits())
    }
    assert len(digests) == 1


def test_session_of_limits_in_the_documentation_says_what_it_says(stack):
    text = (Path(__file__).resolve().parents[2] / "docs/jobs.md").read_text()
    (session,) = re.findall(
        r"^```python\n(.*?)^```", text.split("## Limits\n")[1].split("\n## ")[0], re.M | re.S
    )
    lines = run_session(session, stack.environment)
    numbers, reason, *message = lines
    assert (numbers, reason) == ("67108864 16", "MEMORY_LIMIT")
    assert any("beyond its limit of 67,108,864 bytes; at its peak it had" in line for line in message)
