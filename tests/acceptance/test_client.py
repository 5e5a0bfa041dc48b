"""The client against a running server: what a person does with it."""

import json
import logging
import threading

import grpc
import pytest

from aerlock import (
    BackendNotFoundError,
    InputValueError,
    JobStatus,
    NotAuthorizedError,
    RuntimeInvalidStateError,
    RuntimeJob,
    RuntimeJobFailureError,
    RuntimeJobMaxTimeoutError,
    RuntimeJobNotFound,
    RuntimeJobTimeoutError,
    RuntimeProgramNotFound,
    RuntimeService,
)
from aerlock.exceptions import ServerUnavailableError
from aerlock.v1 import jobs_pb2, jobs_pb2_grpc

OPTIONS = {"backend_name": "aer_simulator"}
PATIENCE_SECONDS = 60

COUNTER = """
import sys

def main(backend, user_messenger, count=3, fail=False):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    for number in range(count):
        user_messenger.publish({"number": number})
    if fail:
        return {}["missing"]
    return (count, "done")
"""

SLEEPER = """
import time

def main(backend, user_messenger):
    user_messenger.publish("started")
    print("before", flush=True)
    time.sleep(600)
"""


def metadata(name: str, **extra: object) -> dict[str, object]:
    return {"name": name, "description": "Made by a test.", "max_execution_time": 120, **extra}


@pytest.fixture(scope="module")
def uploader(stack):
    with RuntimeService(address=stack.address, token=stack.token) as service:
        yield service


@pytest.fixture(scope="module")
def counter(uploader) -> str:
    return uploader.upload_program(COUNTER, metadata("counter"))


@pytest.fixture(scope="module")
def sleeper(uploader) -> str:
    return uploader.upload_program(SLEEPER, metadata("sleeper"))


class Recorder:
    """A callback that keeps what it gets, and lets a test wait for it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []
        self.first = threading.Event()

    def __call__(self, job_id: str, interim_result: object) -> None:
        self.calls.append((job_id, interim_result))
        self.first.set()

    @property
    def results(self) -> list[object]:
        return [result for _, result in self.calls]


@pytest.fixture
def running(service, sleeper):
    """A job that is in its program and stays there until it is cancelled."""
    recorder = Recorder()
    job = service.run(sleeper, OPTIONS, callback=recorder)
    assert recorder.first.wait(PATIENCE_SECONDS)
    yield job
    job.cancel()
    job.wait_for_final_state(PATIENCE_SECONDS)


def test_hello_world_publishes_each_iteration_in_order_and_ends_done(service):
    recorder = Recorder()
    job = service.run("hello-world", OPTIONS, {"iterations": 3}, recorder)
    assert job.result(PATIENCE_SECONDS) == "All done!"
    assert job.status() is JobStatus.DONE
    assert [result["iteration"] for result in recorder.results] == [0, 1, 2]
    assert all(sum(result["counts"].values()) == 1024 for result in recorder.results)
    assert {job_id for job_id, _ in recorder.calls} == {job.job_id()}


def test_inputs_from_a_namespace_send_only_what_is_set(service):
    parameters = service.program("hello-world").parameters()
    with pytest.raises(InputValueError, match="iterations"):
        service.run("hello-world", OPTIONS, parameters)
    parameters.iterations = 1
    job = service.run("hello-world", OPTIONS, parameters)
    assert job.result(PATIENCE_SECONDS) == "All done!"
    assert job.inputs == {"iterations": 1}


def test_stream_of_a_finished_job_replays_each_result_once(service, counter):
    job = service.run(counter, OPTIONS, {"count": 50})
    assert job.result(PATIENCE_SECONDS) == (50, "done")
    recorder = Recorder()
    found = service.job(job.job_id())
    found.stream_results(recorder)
    found.wait_for_final_state(PATIENCE_SECONDS)
    assert recorder.results == [{"number": number} for number in range(50)]
    assert found.interim_results() == recorder.results


def test_many_streams_at_once_each_get_everything_once(service, counter):
    recorders = [Recorder() for _ in range(6)]
    jobs = [service.run(counter, OPTIONS, {"count": 200}, recorder) for recorder in recorders]
    for job, recorder in zip(jobs, recorders, strict=True):
        job.result(PATIENCE_SECONDS)
        assert recorder.calls == [(job.job_id(), {"number": number}) for number in range(200)]


def test_more_streams_start_no_more_threads(service, sleeper):
    def start() -> RuntimeJob:
        return service.run(sleeper, OPTIONS, callback=Recorder())

    jobs = [start()]
    try:
        with_one = set(threading.enumerate())
        jobs += [start() for _ in range(5)]
        added = [thread.name for thread in set(threading.enumerate()) - with_one]
        # The one for callbacks starts with the first of them.
        assert added in ([], ["aerlock-callbacks"])
    finally:
        for job in jobs:
            job.cancel()
    for job in jobs:
        job.wait_for_final_state(PATIENCE_SECONDS)


def test_second_stream_of_a_job_is_refused_until_the_first_is_cancelled(running):
    with pytest.raises(RuntimeInvalidStateError, match="already streaming"):
        running.stream_results(Recorder())
    running.cancel_result_streaming()
    recorder = Recorder()
    running.stream_results(recorder)
    assert recorder.first.wait(PATIENCE_SECONDS)
    assert recorder.results == ["started"]


def test_callback_that_raises_is_logged_and_the_stream_goes_on(service, counter, caplog):
    seen = []

    def callback(job_id: str, interim_result: dict[str, int]) -> None:
        seen.append(interim_result["number"])
        if interim_result["number"] == 0:
            raise ValueError("Kaboom!")

    with caplog.at_level(logging.WARNING, "aerlock"):
        service.run(counter, OPTIONS, {"count": 3}, callback).result(PATIENCE_SECONDS)
    assert seen == [0, 1, 2]
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "Kaboom!" in str(record.exc_info[1])


def test_callback_may_ask_for_the_result(service, counter):
    results = []
    jobs = []
    asked = threading.Event()

    def callback(job_id: str, interim_result: object) -> None:
        results.append(service.job(job_id).result(PATIENCE_SECONDS))
        asked.set()

    jobs.append(service.run(counter, OPTIONS, {"count": 1}, callback))
    assert asked.wait(PATIENCE_SECONDS)
    assert results == [(1, "done")]


def test_cancelled_job_has_no_result(service, sleeper):
    recorder = Recorder()
    job = service.run(sleeper, OPTIONS, callback=recorder)
    assert recorder.first.wait(PATIENCE_SECONDS)
    assert job.status() is JobStatus.RUNNING
    job.cancel()
    job.wait_for_final_state(PATIENCE_SECONDS)
    assert job.status() is JobStatus.CANCELLED
    with pytest.raises(RuntimeInvalidStateError, match="was cancelled"):
        job.result(PATIENCE_SECONDS)
    job.cancel()


def test_job_that_is_done_cannot_be_cancelled(service, counter):
    job = service.run(counter, OPTIONS)
    job.wait_for_final_state(PATIENCE_SECONDS)
    with pytest.raises(RuntimeInvalidStateError, match="cannot be cancelled"):
        job.cancel()
    assert job.status() is JobStatus.DONE


def test_program_that_raises_fails_with_its_traceback(service, counter):
    recorder = Recorder()
    job = service.run(counter, OPTIONS, {"fail": True}, recorder)
    with pytest.raises(RuntimeJobFailureError, match="KeyError: 'missing'") as failure:
        job.result(PATIENCE_SECONDS)
    assert failure.value.reason == "PROGRAM_ERROR"
    assert 'return {}["missing"]' in str(failure.value)
    assert job.status() is JobStatus.ERROR
    assert "KeyError" in job.error_message()
    assert len(recorder.calls) == 3


def test_job_that_runs_too_long_says_so(service, sleeper):
    job = service.run(sleeper, {**OPTIONS, "max_execution_time": 1})
    with pytest.raises(RuntimeJobMaxTimeoutError, match="ran longer than maximum execution time"):
        job.result(PATIENCE_SECONDS)


def test_logs_have_both_streams(service, counter):
    job = service.run(counter, OPTIONS)
    job.wait_for_final_state(PATIENCE_SECONDS)
    assert "to stdout\n" in job.logs()
    assert "to stderr\n" in job.logs()


def test_logs_can_be_read_while_the_job_runs(running, stack):
    kinds = [jobs_pb2.EVENT_KIND_LOG_OUTPUT]
    request = jobs_pb2.WatchJobRequest(job_id=running.job_id(), kinds=kinds)
    metadata = (("authorization", f"Bearer {stack.token}"),)
    with grpc.insecure_channel(stack.address) as channel:
        stream = jobs_pb2_grpc.JobServiceStub(channel).WatchJob(
            request, metadata=metadata, timeout=PATIENCE_SECONDS
        )
        assert next(event for response in stream for event in response.events)
    assert "before\n" in running.logs()
    assert running.status() is JobStatus.RUNNING


def test_result_can_be_asked_for_twice(service, counter):
    job = service.run(counter, OPTIONS)
    assert job.result(PATIENCE_SECONDS) == job.result() == (3, "done")


def test_timeout_of_the_caller_leaves_the_job_running(running):
    with pytest.raises(RuntimeJobTimeoutError, match=running.job_id()):
        running.result(timeout=0.1)
    assert running.status() is JobStatus.RUNNING


def test_usage_and_details_are_there_after_the_end(service, counter):
    job = service.run(counter, {**OPTIONS, "job_tags": ["one", "two"]})
    job.wait_for_final_state(PATIENCE_SECONDS)
    assert job.usage()["cpu_seconds"] > 0
    assert job.tags == ["one", "two"]
    assert (job.program_id, job.backend_name) == (counter, "aer_simulator")
    assert job.creation_date.tzinfo is not None
    assert job.error_message() is None


def test_what_does_not_exist_is_named(service):
    with pytest.raises(RuntimeProgramNotFound):
        service.run("no-such-program", OPTIONS)
    with pytest.raises(RuntimeProgramNotFound):
        service.program("no-such-program")
    with pytest.raises(RuntimeJobNotFound):
        service.job("no-such-job")
    with pytest.raises(BackendNotFoundError, match="aer_simulator"):
        service.run("hello-world", {"backend_name": "ibmq_lima"}, {"iterations": 1})


def test_wrong_input_is_refused_before_the_job_exists(service):
    before = service.jobs(limit=1)
    with pytest.raises(InputValueError, match="iterations") as refusal:
        service.run("hello-world", OPTIONS, {"iterations": "three"})
    assert refusal.value.violations
    after = service.jobs(limit=1)
    assert [job.job_id() for job in after] == [job.job_id() for job in before]


def test_wrong_options_are_refused(service):
    for options, words in (
        ({}, "backend_name"),
        ({**OPTIONS, "shots": 1}, "options have no 'shots': there are backend_name, image, "),
        ({"backend": "aer_simulator"}, r"no 'backend': did you mean backend_name\? There are "),
        ({**OPTIONS, "tags": ["a"]}, r"no 'tags': did you mean job_tags\? There are "),
        ({**OPTIONS, "threads": 5}, r"no 'threads': it belongs into limits\. There are "),
        ({**OPTIONS, "timeout": 5}, r"no 'timeout': that is max_execution_time\. There are "),
        ({**OPTIONS, "log_level": "LOUD"}, "log level"),
        ({**OPTIONS, "max_execution_time": 0}, "max_execution_time"),
    ):
        with pytest.raises(InputValueError, match=words):
            service.run("hello-world", options, {"iterations": 1})


def test_wrong_token_is_refused(stack):
    with RuntimeService(address=stack.address, token="wrong") as stranger, pytest.raises(NotAuthorizedError):
        stranger.programs()


def test_jobs_are_listed_newest_first_and_in_slices(service, counter):
    ids = [service.run(counter, OPTIONS).job_id() for _ in range(3)]
    assert [job.job_id() for job in service.jobs(limit=3)] == ids[::-1]
    assert [job.job_id() for job in service.jobs(limit=1, skip=1)] == [ids[1]]
    everything = service.jobs(limit=None)
    assert service.jobs(limit=5, skip=len(everything) + 5) == []


def test_programs_are_listed_and_printed(service, counter, capsys):
    ids = [program.program_id for program in service.programs(limit=None)]
    assert {"hello-world", counter} <= set(ids)
    assert [program.program_id for program in service.programs(limit=1, skip=1)] == [ids[1]]
    assert service.programs(skip=len(ids)) == []
    service.pprint_programs(limit=None)
    assert f"{'=' * 50}\nhello-world:\n  Name: hello-world\n  Description: " in capsys.readouterr().out
    service.pprint_programs(limit=None, detailed=True)
    assert "        - iterations:\n            Description: How many" in capsys.readouterr().out


def test_backends_have_the_simulator(service):
    assert {"aer_simulator", "aer_simulator_stabilizer"} <= {backend.name for backend in service.backends()}


SPEC = {
    "backend_requirements": {"min_num_qubits": 5, "input_allowed": "runtime"},
    "parameters": {"type": "object", "properties": {"count": {"type": "integer", "default": 2}}},
    "return_values": {"type": "array"},
    "interim_results": {"type": "object"},
}


@pytest.mark.parametrize("form", ["text", "file", "folder", "path"])
def test_upload_from_each_form_keeps_every_field(service, tmp_path, form):
    (tmp_path / "program.py").write_text(COUNTER)
    (tmp_path / "metadata.json").write_text(json.dumps(metadata("uploaded", spec=SPEC)))
    file = tmp_path / "program.py"
    data = {"text": COUNTER, "file": str(file), "folder": str(tmp_path), "path": file}[form]
    program = service.program(service.upload_program(data, str(tmp_path / "metadata.json")))
    assert program.to_dict() == {
        "program_id": program.program_id,
        "name": "uploaded",
        "description": "Made by a test.",
        "max_execution_time": 120,
        "limits": {},
        "backend_requirements": SPEC["backend_requirements"],
        "parameters": SPEC["parameters"],
        "return_values": SPEC["return_values"],
        "interim_results": SPEC["interim_results"],
        "is_public": False,
    }
    assert program.data == COUNTER
    job = service.run(program.program_id, OPTIONS)
    assert job.result(PATIENCE_SECONDS) == (2, "done")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "name is a required metadata field"),
        ({"description": ""}, "description is a required metadata field"),
        ({"max_execution_time": 0}, "max_execution_time is a required metadata field"),
        ({"max_execution_time": "long"}, "max_execution_time must be a number"),
        ({"versoin": 2}, "unknown key 'versoin'"),
        ({"spec": {"params": {}}}, "unknown key 'params'"),
        ({"spec": {"parameters": {"required": "strange"}}}, "parameters_schema"),
    ],
)
def test_upload_with_wrong_metadata_names_the_field(service, change, words):
    with pytest.raises(InputValueError, match=words):
        service.upload_program(COUNTER, {**metadata("wrong"), **change})


def test_upload_of_what_is_no_program_is_refused(service, tmp_path):
    with pytest.raises(InputValueError, match="is no file"):
        service.upload_program("no_such_file.py", metadata("wrong"))
    with pytest.raises(InputValueError, match=r"no program\.py"):
        service.upload_program(str(tmp_path), metadata("wrong"))
    with pytest.raises(InputValueError, match="main"):
        service.upload_program("x = 1\n", metadata("wrong"))


def test_address_where_nobody_listens_names_the_cure(stack):
    with (
        RuntimeService(address="unix:/nonexistent.sock", token=stack.token) as service,
        pytest.raises(ServerUnavailableError, match="aerlock up"),
    ):
        service.programs()


def test_token_with_a_newline_around_it_works(stack):
    with RuntimeService(address=stack.address, token=f"{stack.token}\n") as service:
        assert service.programs()


@pytest.mark.parametrize("token", ["a\nb", "é", "\0"])
def test_token_that_is_none_is_refused_before_it_is_sent(stack, token):
    with pytest.raises(NotAuthorizedError, match="token"):
        RuntimeService(address=stack.address, token=token)


def test_upload_of_nothing_is_refused(service):
    with pytest.raises(InputValueError, match="source text or a path"):
        service.upload_program("", metadata={"name": "x", "description": "x", "max_execution_time": 1})
