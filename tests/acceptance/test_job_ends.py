"""How jobs end and what is left of them, as a user sees it: cancelled, out of time, with logs and usage."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from acceptance.sessions import run_session

from aerlock import JobStatus, RuntimeInvalidStateError, RuntimeJobFailureError

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/jobs.md"
OPTIONS = {"backend_name": "aer_simulator"}
PATIENCE_SECONDS = 60


@pytest.fixture
def run(service):
    """Uploads the body of a main and runs it."""

    def call(body: str, seconds: int = 120, **options: object):
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        source = f"import os, sys, time\n\ndef main(backend, user_messenger, **inputs):\n{lines}"
        metadata = {"name": "of-a-test", "description": "Made by a test.", "max_execution_time": seconds}
        return service.run(service.upload_program(source, metadata), OPTIONS | options)

    return call


@pytest.fixture
def aerlock(stack):
    """Runs a command as a person would; its output as bytes."""

    def call(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "aerlock.cli", *arguments]
        return subprocess.run(command, env=stack.environment, capture_output=True, check=True, timeout=60)

    return call


def test_session_of_cancelling_runs_as_it_stands(stack):
    blocks = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    (session,) = (block for block in blocks if "KeyboardInterrupt" in block)
    status, last, log, refusal = (line for line in run_session(session, stack.environment) if line)
    assert status == "JobStatus.CANCELLED"
    assert log == "stopped at " + re.fullmatch(r"\{'stopped_at': (\d+)\}", last)[1]
    assert refusal.endswith("was cancelled: it has no result.")


def test_cancelled_job_keeps_what_it_published_and_not_what_it_returned(run):
    body = "try:\n    user_messenger.publish(1)\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    return 2"
    job = run(body)
    while not job.interim_results():
        time.sleep(0.01)
    job.cancel()
    job.cancel()
    with pytest.raises(RuntimeInvalidStateError, match="was cancelled"):
        job.result(PATIENCE_SECONDS)
    assert (job.status(), job.interim_results()) == (JobStatus.CANCELLED, [1])
    assert job.error_message() is None


def test_job_out_of_time_is_interrupted_and_says_so(run):
    body = (
        "try:\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    user_messenger.publish('saved')\n    raise"
    )
    job = run(body, max_execution_time=1)
    with pytest.raises(RuntimeJobFailureError, match="ran longer than maximum execution time"):
        job.result(PATIENCE_SECONDS)
    assert job.interim_results() == ["saved"]


def test_logs_are_the_same_in_python_and_on_the_command_line(run, aerlock):
    body = "print('öut')\ntime.sleep(0.3)\nos.write(2, b'err\\xff\\n')\ntime.sleep(0.3)\nprint('end', end='')"
    job = run(body)
    job.wait_for_final_state(PATIENCE_SECONDS)
    assert job.logs() == "öut\nerr\ufffd\nend"
    printed = aerlock("job", "logs", job.job_id())
    assert (printed.stdout, printed.stderr) == ("öut\nend".encode(), b"err\xff\n")


def test_followed_logs_end_with_the_job(run, aerlock):
    job = run("for number in range(5):\n    print(number)\n    time.sleep(0.3)")
    assert aerlock("job", "logs", "--follow", job.job_id()).stdout == b"0\n1\n2\n3\n4\n"
    assert job.in_final_state()


def test_usage_is_on_the_job_once_it_has_ended(run):
    job = run("print('12345')\ntime.sleep(0.2)\nreturn len(bytearray(50_000_000))")
    assert job.result(PATIENCE_SECONDS) == 50_000_000
    usage = job.usage()
    assert usage["cpu_seconds"] > 0
    # The kernel counts memory in batches of pages.
    assert 49_000_000 <= usage["peak_memory_bytes"] < 150_000_000
    assert usage["output_bytes"] > 6
    assert usage["startup_seconds"] > 0
    assert usage["wall_seconds"] > 0.2
