"""Jobs on a real executor: inputs, queue, cancel, watching, and the end of either server in between."""

import json
import signal
import time
import uuid
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from aerlock.v1 import jobs_pb2, jobs_pb2_grpc, programs_pb2, programs_pb2_grpc
from aerlock.v1.values_pb2 import MapEntry, MapValue, Value

QUEUED, RUNNING, CANCELLING, COMPLETED, FAILED, CANCELLED = range(1, 7)

COUNTING = b"""
import time

def main(backend, user_messenger, count, pause_ms=0):
    for number in range(count):
        user_messenger.publish(number)
        time.sleep(pause_ms / 1000)
    return "counted"
"""


class Jobs:
    """What the tests do with jobs, over the stubs."""

    def __init__(self, client, make_program):
        self.client = client
        self._make_program = make_program

    def upload(self, source, **fields):
        request = programs_pb2.UploadProgramRequest(program=self._make_program(source, **fields))
        return self.client.programs.UploadProgram(request, metadata=self.client.metadata).program.program_id

    def request(self, program_id, inputs=(), **fields):
        entries = [MapEntry(key=key, value=Value(int_value=value)) for key, value in dict(inputs).items()]
        standard = {"backend_name": "aer_simulator", "inputs": MapValue(entries=entries)}
        return jobs_pb2.RunProgramRequest(program_id=program_id, **{**standard, **fields})

    def run(self, program_id, inputs=(), **fields):
        request = self.request(program_id, inputs, **fields)
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.client.jobs.RunProgram(request, metadata=self.client.metadata).job
            except grpc.RpcError as error:
                # The gateway says so until its executor has connected.
                if error.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() > deadline:
                    raise

    def get(self, job, **fields):
        request = jobs_pb2.GetJobRequest(job_id=job.job_id, **fields)
        return self.client.jobs.GetJob(request, metadata=self.client.metadata).job

    def cancel(self, job):
        request = jobs_pb2.CancelJobRequest(job_id=job.job_id)
        return self.client.jobs.CancelJob(request, metadata=self.client.metadata).job

    def watch(self, job, **fields):
        request = jobs_pb2.WatchJobRequest(job_id=job.job_id, **fields)
        return self.client.jobs.WatchJob(request, metadata=self.client.metadata, timeout=100)

    def events(self, job, **fields):
        return [event for response in self.watch(job, **fields) for event in response.events]


@pytest.fixture
def jobs(stack, make_program):
    """Jobs on the shared stack."""
    with grpc.insecure_channel(stack.address) as channel:
        client = SimpleNamespace(
            programs=programs_pb2_grpc.ProgramServiceStub(channel),
            jobs=jobs_pb2_grpc.JobServiceStub(channel),
            metadata=(("authorization", f"Bearer {stack.token}"),),
        )
        yield Jobs(client, make_program)


def states(events):
    return [event.state_change.state for event in events if event.HasField("state_change")]


def interim(events):
    return [event.interim_result.int_value for event in events if event.HasField("interim_result")]


def assert_whole(events):
    """A log is dense from 1, and its one terminal event comes last."""
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [state >= COMPLETED for state in states(events)].count(True) == 1
    assert events[-1].state_change.state >= COMPLETED


def test_job_that_starts_at_once_is_running_when_run_returns(pair, make_program):
    start_pair(pair)
    with pair.gateway.client(pair.token) as client:
        jobs = Jobs(client, make_program)
        assert jobs.run(jobs.upload(COUNTING), {"count": 3}).state == RUNNING


def test_job_that_ends_well_has_a_whole_log_and_its_times_in_order(jobs):
    job = jobs.run(jobs.upload(COUNTING), {"count": 3})
    events = jobs.events(job)
    assert_whole(events)
    assert states(events) == [QUEUED, RUNNING, COMPLETED]
    assert interim(events) == [0, 1, 2]
    ended = jobs.get(job)
    assert (ended.state, ended.last_sequence) == (COMPLETED, len(events))
    times = ended.times
    order = [times.create_time, times.start_time, times.first_output_time, times.end_time]
    assert [stamp.ToNanoseconds() for stamp in order] == sorted(stamp.ToNanoseconds() for stamp in order)


def test_watching_again_after_any_sequence_gives_the_rest_once(jobs):
    job = jobs.run(jobs.upload(COUNTING), {"count": 20})
    everything = jobs.events(job)
    for after in (0, 1, 7, len(everything) - 1, len(everything)):
        assert jobs.events(job, after_sequence=after) == everything[after:]
    assert list(jobs.watch(job, after_sequence=len(everything)))[-1].scanned_sequence == len(everything)


def test_watching_after_the_last_sequence_of_an_ended_job_gives_no_events(jobs):
    job = jobs.run(jobs.upload(COUNTING), {"count": 1})
    last = jobs.events(job)[-1].sequence
    assert jobs.events(job, after_sequence=last) == []


def test_watching_from_beyond_the_end_is_refused_with_the_last_sequence(jobs, refused):
    job = jobs.run(jobs.upload(COUNTING), {"count": 1})
    last = jobs.events(job)[-1].sequence
    for after in (last + 1, 2**62):
        request = jobs_pb2.WatchJobRequest(job_id=job.job_id, after_sequence=after)
        error = refused(jobs.client.jobs.WatchJob, request, jobs.client.metadata)
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert f"beyond {last}," in error.violations["after_sequence"]


def test_unknown_kind_is_refused(jobs, refused):
    job = jobs.run(jobs.upload(COUNTING), {"count": 0})
    for method, request in (
        (jobs.client.jobs.WatchJob, jobs_pb2.WatchJobRequest(job_id=job.job_id, kinds=[0])),
        (jobs.client.jobs.WatchJobs, jobs_pb2.WatchJobsRequest(kinds=[6])),
    ):
        assert set(refused(method, request, jobs.client.metadata).violations) == {"kinds"}


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return json.dumps({"properties": {"n": {"default": value}}})


@pytest.mark.parametrize("depth", [35, 38])
def test_default_that_nests_as_deep_as_values_may_comes_back_as_result(jobs, depth):
    source = b"def main(backend, user_messenger, n): return n"
    program_id = jobs.upload(source, parameters_schema=nested(depth))
    (result,) = [
        event.final_result for event in jobs.events(jobs.run(program_id)) if event.HasField("final_result")
    ]
    for _ in range(depth):
        (result,) = result.list_value.values
    assert result.int_value == 1


def test_default_that_makes_inputs_too_large_is_refused_at_the_run(jobs, refused):
    schema = json.dumps({"properties": {"n": {"default": "x" * 50_000}}})
    program_id = jobs.upload(b"def main(a, b, n, m): pass", parameters_schema=schema)
    request = jobs.request(program_id)
    request.inputs.entries.append(MapEntry(key="m", value=Value(bytes_value=bytes(1_000_000))))
    error = refused(jobs.client.jobs.RunProgram, request, jobs.client.metadata)
    assert "defaults" in error.violations["inputs"]


def test_watching_some_kinds_gives_those_and_the_end(jobs):
    job = jobs.run(jobs.upload(COUNTING), {"count": 5})
    events = jobs.events(job, kinds=[jobs_pb2.EVENT_KIND_FINAL_RESULT])
    assert [event.WhichOneof("event") for event in events] == ["final_result", "state_change"]


def test_replay_only_ends_before_the_job_does(jobs):
    job = jobs.run(jobs.upload(b"import time\ndef main(a, b): time.sleep(60)"))
    replayed = jobs.events(job, replay_only=True)
    assert states(replayed)[0] == QUEUED
    assert jobs.get(job).state in (QUEUED, RUNNING)
    jobs.cancel(job)
    assert states(jobs.events(job))[-1] == CANCELLED


def test_watch_of_all_jobs_gives_each_event_once_across_a_break(jobs):
    stub, metadata = jobs.client.jobs, jobs.client.metadata
    first = stub.WatchJobs(jobs_pb2.WatchJobsRequest(after_cursor=-1), metadata=metadata, timeout=100)
    cursor = next(first).cursor
    program_id = jobs.upload(COUNTING)
    started = [jobs.run(program_id, {"count": 50}) for _ in range(3)]
    seen = {job.job_id: [] for job in started}

    def take(stream):
        response = next(stream)
        for entry in response.entries:
            seen.setdefault(entry.job_id, []).extend(entry.events)
        return response.cursor

    cursor = take(first)
    first.cancel()
    second = stub.WatchJobs(jobs_pb2.WatchJobsRequest(after_cursor=cursor), metadata=metadata, timeout=100)
    while not all(seen[job.job_id] and states(seen[job.job_id])[-1] >= COMPLETED for job in started):
        take(second)
    second.cancel()
    for job in started:
        assert_whole(seen[job.job_id])
        assert interim(seen[job.job_id]) == list(range(50))


def test_cursor_beyond_the_end_is_refused(jobs, refused):
    for cursor in (-2, 2**62):
        request = jobs_pb2.WatchJobsRequest(after_cursor=cursor)
        error = refused(jobs.client.jobs.WatchJobs, request, jobs.client.metadata)
        assert set(error.violations) == {"after_cursor"}


def test_run_with_the_same_request_id_is_one_job(jobs, refused):
    program_id = jobs.upload(COUNTING)
    key = uuid.uuid4().hex
    first = jobs.run(program_id, {"count": 1}, request_id=key)
    assert jobs.run(program_id, {"count": 1}, request_id=key).job_id == first.job_id
    error = refused(
        jobs.client.jobs.RunProgram,
        jobs.request(program_id, {"count": 2}, request_id=key),
        jobs.client.metadata,
    )
    assert error.reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("inputs", "fields"),
    [
        ({}, {"inputs.iterations"}),
        ({"iterations": -1}, {"inputs.iterations"}),
        ({"iterations": 1, "shots": 1}, {"inputs.shots"}),
        ({"shots": 1}, {"inputs.shots", "inputs.iterations"}),
    ],
)
def test_wrong_inputs_are_named(jobs, refused, inputs, fields):
    request = jobs.request("hello-world", inputs)
    error = refused(jobs.client.jobs.RunProgram, request, jobs.client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert set(error.violations) == fields


def test_missing_inputs_are_named_without_a_schema(jobs, refused):
    program_id = jobs.upload(b"def main(backend, user_messenger, a, b=1, *, c): pass")
    error = refused(jobs.client.jobs.RunProgram, jobs.request(program_id, {"d": 1}), jobs.client.metadata)
    assert set(error.violations) == {"inputs.a", "inputs.c", "inputs.d"}


def test_null_is_unset_and_defaults_are_filled_in(jobs):
    schema = '{"properties": {"n": {"type": "integer", "default": 7}, "m": {"type": "integer"}}}'
    program_id = jobs.upload(b"def main(backend, user_messenger, n, m=1): return n", parameters_schema=schema)
    entry = MapEntry(key="m", value=Value(null_value=0))
    request = jobs.request(program_id)
    request.inputs.entries.append(entry)
    job = jobs.client.jobs.RunProgram(request, metadata=jobs.client.metadata).job
    inputs = jobs.get(job, include_inputs=True).inputs
    assert [(entry.key, entry.value.int_value) for entry in inputs.entries] == [("n", 7)]
    final = [event.final_result.int_value for event in jobs.events(job) if event.HasField("final_result")]
    assert final == [7]


def test_unknown_fields_of_inputs_are_dropped_and_the_job_stays_readable(jobs):
    program_id = jobs.upload(b"def main(backend, user_messenger, n): return n")
    # Groups in the field 1000: as many as protobuf parses in this request, and more than it parses in a Job.
    value = Value(int_value=7)
    value.MergeFromString(b"\xc3\x3e" * 96 + b"\xc4\x3e" * 96)
    request = jobs.request(program_id)
    request.inputs.entries.add(key="n", value=value)
    job = jobs.client.jobs.RunProgram(request, metadata=jobs.client.metadata).job
    (entry,) = jobs.get(job, include_inputs=True).inputs.entries
    assert entry.value == Value(int_value=7)
    assert jobs.events(job)[-1].state_change.state == COMPLETED


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"program_id": "nothing"}, grpc.StatusCode.NOT_FOUND, "PROGRAM_NOT_FOUND"),
        ({"backend_name": "nothing"}, grpc.StatusCode.NOT_FOUND, "BACKEND_NOT_FOUND"),
        ({"backend_name": ""}, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
        ({"tags": ["x"] * 17}, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
        (
            {"options": jobs_pb2.JobOptions(log_level="LOUD")},
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_FIELD",
        ),
        ({"request_id": "x" * 65}, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
    ],
)
def test_wrong_run_is_refused(jobs, refused, fields, code, reason):
    request = jobs.request("hello-world", {"iterations": 1})
    request.MergeFrom(jobs_pb2.RunProgramRequest(**fields))
    if fields.get("backend_name") == "":
        request.backend_name = ""
    error = refused(jobs.client.jobs.RunProgram, request, jobs.client.metadata)
    assert (error.code, error.reason) == (code, reason)
    if reason == "BACKEND_NOT_FOUND":
        assert "aer_simulator" in error.message


def test_backend_with_too_few_qubits_is_refused(jobs, refused):
    needs = programs_pb2.BackendRequirements(min_num_qubits=100_000)
    program_id = jobs.upload(COUNTING, backend_requirements=needs)
    error = refused(jobs.client.jobs.RunProgram, jobs.request(program_id, {"count": 1}), jobs.client.metadata)
    assert set(error.violations) == {"backend_name"}


def test_smallest_time_limit_counts(jobs):
    program_id = jobs.upload(COUNTING, max_execution_time=Duration(seconds=50))
    for asked, applied in ((40, 40), (60, 50)):
        options = jobs_pb2.JobOptions(max_execution_time=Duration(seconds=asked))
        job = jobs.run(program_id, {"count": 0}, options=options)
        assert job.options.max_execution_time.seconds == applied
        assert (job.options.image, job.options.log_level) == ("default", "WARNING")


@pytest.mark.parametrize(
    "limit",
    [
        Duration(),
        Duration(seconds=-1),
        Duration(seconds=2**62),
        Duration(seconds=365 * 86_400, nanos=1),
        Duration(seconds=1, nanos=1_000_000_000),
        Duration(seconds=1, nanos=-1),
    ],
)
def test_time_limit_out_of_bounds_is_refused(jobs, refused, limit):
    options = jobs_pb2.JobOptions(max_execution_time=limit)
    request = jobs.request("hello-world", {"iterations": 0}, options=options)
    error = refused(jobs.client.jobs.RunProgram, request, jobs.client.metadata)
    assert set(error.violations) == {"options.max_execution_time"}


def start_pair(pair, *flags):
    pair.executor.start("--slots", "1")
    pair.gateway.start(*flags)


def test_queued_jobs_start_in_order_and_cancel_at_once(pair, make_program, refused):
    start_pair(pair, "--max-queued-jobs", "2")
    with pair.gateway.client(pair.token) as client:
        jobs = Jobs(client, make_program)
        program_id = jobs.upload(COUNTING)
        first = jobs.run(program_id, {"count": 1000, "pause_ms": 100})
        second, third = (jobs.run(program_id, {"count": 1}) for _ in range(2))
        assert [jobs.get(job).queue_position for job in (second, third)] == [0, 1]
        error = refused(client.jobs.RunProgram, jobs.request(program_id, {"count": 1}), client.metadata)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
        assert jobs.cancel(second).state == CANCELLED
        assert jobs.cancel(first).state == CANCELLING
        assert jobs.cancel(first).state in (CANCELLING, CANCELLED)
        assert states(jobs.events(first)) == [QUEUED, RUNNING, CANCELLING, CANCELLED]
        assert states(jobs.events(second)) == [QUEUED, CANCELLED]
        assert states(jobs.events(third)) == [QUEUED, RUNNING, COMPLETED]
        assert jobs.cancel(third).state == COMPLETED


def test_gateway_that_is_killed_mid_job_loses_and_doubles_nothing(pair, make_program):
    start_pair(pair)
    with pair.gateway.client(pair.token) as client:
        jobs = Jobs(client, make_program)
        job = jobs.run(jobs.upload(COUNTING), {"count": 200, "pause_ms": 10})
        events = []
        for response in jobs.watch(job):
            events += response.events
            if len(events) > 20:
                break
        pair.gateway.stop(signal.SIGKILL)
    pair.gateway.start()
    with pair.gateway.client(pair.token) as client:
        jobs = Jobs(client, make_program)
        events += jobs.events(job, after_sequence=events[-1].sequence)
        assert_whole(events)
        assert interim(events) == list(range(200))
        assert states(events) == [QUEUED, RUNNING, COMPLETED]
        # The slot is free again.
        assert_whole(jobs.events(jobs.run(jobs.upload(COUNTING), {"count": 1})))


def test_executor_that_is_killed_mid_job_ends_it_as_lost(pair, make_program):
    start_pair(pair)
    with pair.gateway.client(pair.token) as client:
        jobs = Jobs(client, make_program)
        program_id = jobs.upload(COUNTING)
        job = jobs.run(program_id, {"count": 5000, "pause_ms": 10})
        stream = jobs.watch(job)
        while not any(event.HasField("interim_result") for event in next(stream).events):
            pass
        pair.executor.stop(signal.SIGKILL)
        pair.executor.start("--slots", "1")
        events = jobs.events(job)
        assert_whole(events)
        assert interim(events) == list(range(len(interim(events))))
        assert events[-1].state_change.failure.reason == jobs_pb2.FAILURE_REASON_EXECUTOR_LOST
        assert_whole(jobs.events(jobs.run(program_id, {"count": 1})))


def test_lease_that_runs_out_ends_the_job_and_later_events_are_discarded(pair, make_program):
    start_pair(pair, "--executor-lease", "1")
    with pair.gateway.client(pair.token) as client:
        jobs = Jobs(client, make_program)
        program_id = jobs.upload(COUNTING)
        job = jobs.run(program_id, {"count": 5000, "pause_ms": 10})
        stream = jobs.watch(job)
        while not any(event.HasField("interim_result") for event in next(stream).events):
            pass
        pair.executor.stop(signal.SIGKILL)
        events = jobs.events(job)
        assert_whole(events)
        assert "could not be reached" in events[-1].state_change.failure.message
        queued = jobs.run(program_id, {"count": 1})
        assert queued.state == QUEUED
        pair.executor.start("--slots", "1")
        assert_whole(jobs.events(queued))
        assert jobs.events(job) == events
    pair.gateway.stop()
    assert "discarded" in pair.gateway.stderr


def test_jobs_of_another_account_do_not_exist(pair, make_account, make_program, refused):
    start_pair(pair)
    with pair.gateway.client(pair.token) as owner, pair.gateway.client("") as other:
        other.metadata = make_account(owner, "second")
        jobs = Jobs(owner, make_program)
        program_id = jobs.upload(COUNTING)
        job = jobs.run(program_id, {"count": 1})
        jobs.events(job)
        for method, request in (
            (other.jobs.GetJob, jobs_pb2.GetJobRequest(job_id=job.job_id)),
            (other.jobs.WatchJob, jobs_pb2.WatchJobRequest(job_id=job.job_id)),
            (other.jobs.CancelJob, jobs_pb2.CancelJobRequest(job_id=job.job_id)),
        ):
            error = refused(method, request, other.metadata)
            assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")
        error = refused(other.jobs.RunProgram, jobs.request(program_id, {"count": 1}), other.metadata)
        assert error.reason == "PROGRAM_NOT_FOUND"
        assert not other.jobs.ListJobs(jobs_pb2.ListJobsRequest(), metadata=other.metadata).jobs
        stream = other.jobs.WatchJobs(jobs_pb2.WatchJobsRequest(), metadata=other.metadata)
        first = next(stream)
        assert (len(first.entries), first.cursor > 0) == (0, True)
        stream.cancel()
        own = Jobs(other, make_program)
        own.events(own.run("hello-world", {"iterations": 0}))
        listed = owner.jobs.ListJobs(jobs_pb2.ListJobsRequest(), metadata=owner.metadata).jobs
        assert [listed_job.job_id for listed_job in listed] == [job.job_id]


def test_jobs_are_listed_newest_first_page_by_page(pair, make_program):
    start_pair(pair)
    with pair.gateway.client(pair.token) as client:
        jobs = Jobs(client, make_program)
        program_id = jobs.upload(COUNTING)
        started = [jobs.run(program_id, {"count": 0}).job_id for _ in range(5)]
        seen, token = [], None
        while token != "":
            request = jobs_pb2.ListJobsRequest(page_size=2, page_token=token or "")
            page = client.jobs.ListJobs(request, metadata=client.metadata)
            seen += [job.job_id for job in page.jobs]
            token = page.next_page_token
        assert seen == started[::-1]
