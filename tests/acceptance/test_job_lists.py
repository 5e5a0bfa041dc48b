"""Listing, tagging and deleting jobs from Python and the command line, as the original's tests have it."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from datetime import datetime, timedelta
from pathlib import Path

import grpc
import pytest
from acceptance.sessions import run_session
from documents import code_block, printed_by

from aerlock import (
    InputValueError,
    JobStatus,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
    RuntimeJobNotFound,
    RuntimeService,
)
from aerlock.local_runtime import running_locally
from aerlock.v1 import accounts_pb2, accounts_pb2_grpc

OPTIONS = {"backend_name": "aer_simulator"}
SOURCE = """
import time

def main(backend, user_messenger, seconds=0, fail=False):
    if fail:
        raise ValueError("as asked")
    time.sleep(seconds)
"""
METADATA = {"name": "sample", "description": "Made by a test.", "max_execution_time": 300}


@pytest.fixture(scope="module")
def world():
    """Fourteen jobs: 4 DONE, 3 ERROR, 2 CANCELLED, 3 RUNNING and 2 QUEUED, some of another program."""
    settings = {"AERLOCK_EXECUTOR_SLOTS": "3"}
    with (
        running_locally(settings) as runtime,
        RuntimeService(address=runtime.address, token=runtime.token) as service,
    ):
        service.programs_of = [service.upload_program(SOURCE, METADATA) for _ in range(2)]
        service.started = []

        def run(number, **inputs):
            options = {**OPTIONS, "job_tags": [f"number-{number}", "even" if number % 2 == 0 else "odd"]}
            job = service.run(service.programs_of[number % 3 == 0], options, inputs)
            service.started.append(job.job_id())
            return job

        jobs = [run(n) for n in range(4)] + [run(n, fail=True) for n in range(4, 7)]
        jobs += [run(n, seconds=300) for n in range(7, 9)]
        for job in jobs[7:]:
            job.cancel()
        for job in jobs:
            job.wait_for_final_state(60)
        for number in range(9, 14):
            run(number, seconds=300)
        yield service


def ids(jobs):
    return [job.job_id() for job in jobs]


def test_statuses_are_the_mix(world):
    statuses = [job.status() for job in world.jobs(limit=None, descending=False)]
    done, failed, cancelled = JobStatus.DONE, JobStatus.ERROR, JobStatus.CANCELLED
    assert statuses[:9] == [done] * 4 + [failed] * 3 + [cancelled] * 2
    assert statuses[9:] == [JobStatus.RUNNING] * 3 + [JobStatus.QUEUED] * 2


@pytest.mark.parametrize("limit", [None, 0, 1, 4, 14, 30])
@pytest.mark.parametrize("skip", [None, 0, 3, 13, 30])
@pytest.mark.parametrize("pending", [None, True, False])
@pytest.mark.parametrize("descending", [True, False])
def test_filter_limit_and_skip_give_their_slice(world, limit, skip, pending, descending):
    expected = {None: world.started, True: world.started[9:], False: world.started[:9]}[pending]
    expected = (expected[::-1] if descending else expected)[skip or 0 :]
    found = ids(world.jobs(limit=limit, skip=skip, pending=pending, descending=descending))
    assert found == (expected if limit is None else expected[:limit])


def test_program_and_tags_and_backend_filter(world):
    of_second = [job for number, job in enumerate(world.started) if number % 3 == 0]
    assert ids(world.jobs(None, program_id=world.programs_of[1]))[::-1] == of_second
    assert len(world.jobs(None, program_id=world.programs_of[0], pending=True)) == 5 - 2
    assert ids(world.jobs(None, job_tags=["even"], descending=False)) == world.started[::2]
    assert ids(world.jobs(None, job_tags=["odd", "number-3"])) == [world.started[3]]
    assert world.jobs(None, job_tags=["even", "number-3"]) == []
    assert len(world.jobs(None, backend_name="aer_simulator")) == 14
    assert world.jobs(None, backend_name="no such") == []
    assert world.jobs(None, program_id="no-such-program") == []


def test_times_filter_in_local_time_and_with_a_zone(world):
    hour = timedelta(hours=1)
    now = datetime.now()
    assert len(world.jobs(None, created_after=now - hour, created_before=now + hour)) == 14
    assert world.jobs(None, created_after=now + hour) == world.jobs(None, created_before=now - hour) == []
    third = world.job(world.started[2]).creation_date
    assert ids(world.jobs(None, created_before=third, descending=False)) == world.started[:2]
    assert ids(world.jobs(None, created_after=third, descending=False)) == world.started[2:]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"limit": -1}, "negative"),
        ({"skip": -1}, "negative"),
        ({"job_tags": "one"}, "job_tags"),
        ({"job_tags": ["x" * 65]}, "tags"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"created_before": 5}, "created_before"),
        ({"program_id": "x" * 101}, "program_id"),
    ],
)
def test_wrong_argument_is_refused_by_name(world, arguments, words):
    with pytest.raises(InputValueError, match=words):
        world.jobs(**arguments)


def test_listed_job_has_its_result_and_its_failure(world):
    (done,) = world.jobs(job_tags=["number-0"])
    assert done.result(timeout=30) is None
    (failed,) = world.jobs(job_tags=["number-4"])
    with pytest.raises(RuntimeJobFailureError, match="as asked"):
        failed.result(timeout=30)


def test_admin_lists_jobs_of_everyone_and_follows_them(stack, second_service):
    job = second_service.run("hello-world", OPTIONS, {"iterations": 1})
    with RuntimeService(address=stack.address, token=stack.token) as admin:
        assert job.job_id() not in ids(admin.jobs(limit=None))
        listed = {one.job_id(): one for one in admin.jobs(limit=None, all_accounts=True)}
        assert listed[job.job_id()].result(timeout=60) == job.result(timeout=60)
    assert ids(second_service.jobs(all_accounts=True)) == [job.job_id()]


@pytest.fixture
def second_service(stack):
    """A client of another account of the shared stack."""
    account = accounts_pb2.Account(name=f"second-{os.urandom(3).hex()}", role=accounts_pb2.ROLE_RUNNER)
    metadata = (("authorization", f"Bearer {stack.token}"),)
    with grpc.insecure_channel(stack.address) as channel:
        stub = accounts_pb2_grpc.AccountServiceStub(channel)
        stub.CreateAccount(accounts_pb2.CreateAccountRequest(account=account), metadata=metadata)
        token = stub.CreateToken(accounts_pb2.CreateTokenRequest(account=account.name), metadata=metadata)
    with RuntimeService(address=stack.address, token=token.secret) as service:
        yield service


def test_tags_are_changed_and_stay(service):
    job = service.run("hello-world", {**OPTIONS, "job_tags": ["one"]}, {"iterations": 0})
    assert job.tags == ["one"]
    assert job.update_tags(["two", "three"]) == job.tags == ["two", "three"]
    assert service.job(job.job_id()).tags == ["two", "three"]
    for wrong in ("two", ["x"] * 17, [""]):
        with pytest.raises(InputValueError, match="tags"):
            job.update_tags(wrong)
    assert job.update_tags([]) == service.job(job.job_id()).tags == []
    service.delete_job(job.job_id())
    with pytest.raises(RuntimeJobNotFound):
        job.update_tags(["four"])


def test_job_is_deleted_in_each_state(world):
    queued, running, done = (world.job(world.started[number]) for number in (13, 9, 0))
    assert [job.status() for job in (queued, running, done)] == [
        JobStatus.QUEUED,
        JobStatus.RUNNING,
        JobStatus.DONE,
    ]
    for job in (queued, running, done):
        world.delete_job(job.job_id())
        assert job.job_id() not in ids(world.jobs(limit=None))
        for call in (world.job, world.delete_job):
            with pytest.raises(RuntimeJobNotFound):
                call(job.job_id())
    for job in (queued, running):
        with pytest.raises(RuntimeJobNotFound):
            job.status()
        with pytest.raises(RuntimeJobNotFound):
            job.cancel()
    # Its slot goes to the one that waits.
    world.job(world.started[12]).cancel()


def test_result_that_is_awaited_ends_when_the_job_is_deleted(service):
    program = service.upload_program(SOURCE, METADATA)
    job = service.run(program, OPTIONS, {"seconds": 300})
    raised = []

    def wait() -> None:
        try:
            job.result(timeout=60)
        except (RuntimeInvalidStateError, RuntimeJobNotFound) as error:
            raised.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    service.delete_job(job.job_id())
    waiting.join(60)
    assert len(raised) == 1


def aerlock(runtime, *arguments, check=True):
    result = subprocess.run(
        [sys.executable, "-m", "aerlock.cli", *arguments],
        env=runtime.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if check:
        assert result.returncode == 0, result.stderr
        return result.stdout
    assert result.returncode != 0
    return result.stderr


def test_commands_list_what_their_filters_take(stack, service):
    mark = os.urandom(4).hex()
    options = {**OPTIONS, "job_tags": [mark, "[red]"]}
    jobs = [service.run("hello-world", options, {"iterations": 0}) for _ in range(2)]
    for job in jobs:
        job.wait_for_final_state(60)
    filters = ["--tag", mark, "--state", "completed", "--program", "hello-world"]
    filters += ["--created-after", "2020-01-01"]
    found = json.loads(aerlock(stack, "jobs", *filters, "--json"))
    assert [one["job_id"] for one in found] == ids(jobs)[::-1]
    table = aerlock(stack, "jobs", "--tag", mark, "--oldest-first", "--limit", "1")
    assert jobs[0].job_id() in table
    assert "[red]" in table
    assert jobs[1].job_id() not in table
    assert "not both" in aerlock(stack, "jobs", "--pending", "--state", "queued", check=False)
    missing = "there is no such job; ListJobs shows yours, with all_accounts all that you may see"
    assert missing in aerlock(stack, "job", "show", "0" * 20, check=False)
    assert aerlock(stack, "jobs", "--tag", mark, "--pending", "--json").strip() == "[]"


def on_terminal(runtime, columns, *arguments):
    """What a command prints to a terminal that is so wide."""
    reader, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in runtime.environment.items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "aerlock.cli", *arguments]
    with subprocess.Popen(command, env=environment, stdout=terminal) as process:
        os.close(terminal)
        printed = b""
        try:
            while part := os.read(reader, 4096):
                printed += part
        except OSError:  # how Linux says that nobody holds the terminal any more
            pass
    os.close(reader)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.decode()).splitlines()


LONG_TAGS = [f"tag number {number} of a paper with a long name" for number in range(4)]


def test_ids_are_whole_on_a_narrow_terminal_and_other_columns_give_way(stack, service):
    mark = os.urandom(4).hex()
    program = service.upload_program(SOURCE, {**METADATA, "name": "bell pair"})
    job = service.run(program, {**OPTIONS, "job_tags": [mark, *LONG_TAGS]})
    job.wait_for_final_state(60)
    for columns in (80, 100, 200):
        lines = on_terminal(stack, columns, "jobs", "--tag", mark)
        assert len(lines) > 2
        assert max(map(len, lines)) <= columns, lines
        assert lines[1].split()[0] == job.job_id()
        assert program in lines[1].split()
        assert "completed" in lines[1]
    assert job.job_id() in on_terminal(stack, 20, "jobs", "--tag", mark)[1]
    assert "owner" in on_terminal(stack, 80, "jobs", "--all-accounts", "--limit", "1")[0].split()
    audit = "\n".join(on_terminal(stack, 80, "audit", "--subject", job.job_id()))
    assert job.job_id() in audit
    assert f"program={program}" in audit


def test_table_that_goes_to_no_terminal_has_a_line_for_each_entry(stack, service):
    mark = os.urandom(4).hex()
    jobs = [
        service.run("hello-world", {**OPTIONS, "job_tags": [mark, *LONG_TAGS]}, {"iterations": 0})
        for _ in range(2)
    ]
    lines = aerlock(stack, "jobs", "--tag", mark, "--oldest-first").splitlines()
    assert [line.split()[0] for line in lines[1:]] == ids(jobs)
    assert all(", ".join(LONG_TAGS) in line for line in lines[1:])


def test_job_is_shown_to_people_with_why_it_failed_and_what_it_used(stack, service):
    source = "def main(backend, user_messenger): return len(bytearray(1 << 40))"
    program = service.upload_program(source, METADATA)
    job = service.run(program, {**OPTIONS, "job_tags": ["one", "two"]})
    job.wait_for_final_state(60)
    shown, _, traceback = aerlock(stack, "job", "show", job.job_id()).partition("\n\n")
    lines = dict(re.split(" {2,}", line, maxsplit=1) for line in shown.splitlines())
    assert lines["id"] == job.job_id()
    assert (lines["state"], lines["reason"]) == ("failed", "MEMORY_LIMIT")
    assert f"its limit of {lines['limit']} bytes" in lines["message"]
    assert f"it had {lines['used']} bytes in use" in lines["message"]
    assert (lines["program"], lines["backend"]) == (f"{program}, revision 1", "aer_simulator")
    assert lines["tags"] == "one, two"
    assert lines["created"] == job.creation_date.replace(tzinfo=None).isoformat(" ", "seconds")
    assert {"started", "ended", "CPU time", "peak memory", "run"} <= set(lines)
    assert traceback.startswith("Traceback (most recent call last):\n")
    assert traceback.endswith("MemoryError\n")
    as_json = json.loads(aerlock(stack, "job", "show", job.job_id(), "--json"))
    assert as_json["failure"]["reason"] == "FAILURE_REASON_MEMORY_LIMIT"
    assert f"{int(as_json['failure']['limit']):,}" == lines["limit"]


def test_commands_name_each_job_that_there_is_not_and_do_the_rest(stack, service):
    job = service.run("hello-world", OPTIONS, {"iterations": 0})
    job.wait_for_final_state(60)
    unknown = ["0" * 20, "1" * 20]
    told = aerlock(stack, "job", "delete", unknown[0], job.job_id(), unknown[1], check=False)
    assert [f"no job '{one}'" in told for one in unknown] == [True, True]
    assert "`aerlock jobs` shows yours, with --all-accounts all that you may see" in told
    assert f"deleted {job.job_id()}" in told
    assert unknown[0] in aerlock(stack, "job", "cancel", unknown[0], check=False)


@pytest.mark.parametrize(("flag", "name"), [("--program", "program_id"), ("--backend", "backend_name")])
def test_filter_that_is_empty_is_refused(stack, flag, name):
    assert f"{name} is empty" in aerlock(stack, "jobs", flag, "", check=False)


@pytest.mark.parametrize("option", ["--created-after", "--created-before"])
@pytest.mark.parametrize("text", ["nonsense", "", "2026-13-01", "yesterday"])
def test_option_that_is_no_time_is_refused_by_name_with_an_example(stack, option, text):
    told = aerlock(stack, "jobs", option, text, check=False)
    words = " ".join(told.replace("│", " ").split())
    assert f"'{option}': {text!r} is no time. Give one such as 2026-11-22 or 2026-11-22T18:30:00," in words
    assert "Input should be" not in words


@pytest.mark.parametrize("time", ["2020-01-01", "2020-01-01T18:30:00", "2020-01-01 18:30+01:00"])
def test_option_takes_the_times_of_its_help(stack, service, time):
    mark = os.urandom(4).hex()
    job = service.run("hello-world", {**OPTIONS, "job_tags": [mark]}, {"iterations": 0})
    assert job.job_id() in aerlock(stack, "jobs", "--tag", mark, "--created-after", time)
    assert job.job_id() not in aerlock(stack, "jobs", "--tag", mark, "--created-before", time)


def test_sessions_of_the_documentation_run_as_they_stand(make_stack):
    runtime = make_stack()
    environment = {**runtime.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    session = code_block("jobs.md", "Lists", "python")
    assert run_session(session, environment) == printed_by(session)
    with RuntimeService(address=runtime.address, token=runtime.token) as service:
        job = service.run("hello-world", {**OPTIONS, "job_tags": ["paper"]}, {"iterations": 0})
        job.wait_for_final_state(60)
        shell = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code_block("jobs.md", "On the command line", "sh")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert shell.returncode == 0, shell.stderr
        assert re.search(rf"^id +{job.job_id()}$", shell.stdout, re.MULTILINE)
        assert f"{job.job_id()} completed" in shell.stdout
        assert service.jobs(limit=None) == []
