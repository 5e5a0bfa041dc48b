"""Deleting and tagging jobs, in every state, over the wire."""

import base64
import itertools
import json
import signal
import sqlite3
import time
import uuid
from contextlib import closing
from types import SimpleNamespace

import grpc
import pytest
from integration.test_gateway_jobs import COUNTING, Jobs, interim, start_pair, states

from aerlock import InputValueError, RuntimeService
from aerlock.local_runtime import running_locally
from aerlock.v1 import accounts_pb2, accounts_pb2_grpc, jobs_pb2, jobs_pb2_grpc, programs_pb2_grpc

CONTROLS = ("\n", "\x00", "\x1b", "\x7f", "\x9b")
QUEUED, RUNNING, CANCELLING, COMPLETED, FAILED, CANCELLED = range(1, 7)


@pytest.fixture(scope="module")
def runtime():
    """A stack with one slot, of this module's own."""
    with running_locally({"AERLOCK_EXECUTOR_SLOTS": "1"}) as runtime:
        yield runtime


@pytest.fixture
def jobs(runtime, make_program):
    with grpc.insecure_channel(runtime.address) as channel:
        client = SimpleNamespace(
            programs=programs_pb2_grpc.ProgramServiceStub(channel),
            jobs=jobs_pb2_grpc.JobServiceStub(channel),
            accounts=accounts_pb2_grpc.AccountServiceStub(channel),
            metadata=(("authorization", f"Bearer {runtime.token}"),),
        )
        jobs = Jobs(client, make_program)
        jobs.counting = jobs.upload(COUNTING)
        yield jobs


def delete(jobs, job):
    request = jobs_pb2.DeleteJobRequest(job_id=job.job_id)
    jobs.client.jobs.DeleteJob(request, metadata=jobs.client.metadata)


def update(jobs, job, tags, **fields):
    request = jobs_pb2.UpdateJobRequest(job=jobs_pb2.Job(job_id=job.job_id, tags=tags), **fields)
    return jobs.client.jobs.UpdateJob(request, metadata=jobs.client.metadata).job


def listed(jobs, **fields):
    request = jobs_pb2.ListJobsRequest(page_size=1000, **fields)
    found = jobs.client.jobs.ListJobs(request, metadata=jobs.client.metadata).jobs
    return [job.job_id for job in found]


def run_to(jobs, state):
    """A job in this state, and the one that has the slot where it only waits."""
    blocking = jobs.run(jobs.counting, {"count": 1000, "pause_ms": 100}) if state == QUEUED else None
    long = state != COMPLETED
    fields = {"request_id": uuid.uuid4().hex, "tags": ["to delete"]}
    job = jobs.run(jobs.counting, {"count": 1000 if long else 1, "pause_ms": 100 if long else 0}, **fields)
    if state == COMPLETED:
        jobs.events(job)
    elif state == RUNNING:
        next(response for response in jobs.watch(job) if interim(response.events))
    return job, blocking, fields


@pytest.mark.parametrize("state", [QUEUED, RUNNING, COMPLETED])
def test_deleted_job_is_not_there_for_any_call(jobs, refused, state):
    job, blocking, fields = run_to(jobs, state)
    assert jobs.get(job).state == state
    assert job.job_id in listed(jobs, tags=["to delete"])
    stub, job_id = jobs.client.jobs, job.job_id
    watch = jobs_pb2.WatchJobsRequest(after_cursor=-1)
    everything = stub.WatchJobs(watch, metadata=jobs.client.metadata, timeout=60)
    next(everything)
    stream = jobs.watch(job)
    events = list(next(stream).events)
    delete(jobs, job)
    calls = [
        (stub.GetJob, jobs_pb2.GetJobRequest(job_id=job_id)),
        (stub.GetJob, jobs_pb2.GetJobRequest(job_id=job_id, include_inputs=True)),
        (stub.WatchJob, jobs_pb2.WatchJobRequest(job_id=job_id)),
        (stub.CancelJob, jobs_pb2.CancelJobRequest(job_id=job_id)),
        (stub.UpdateJob, jobs_pb2.UpdateJobRequest(job=jobs_pb2.Job(job_id=job_id))),
        (stub.DeleteJob, jobs_pb2.DeleteJobRequest(job_id=job_id)),
    ]
    length = 1000 if state != COMPLETED else 1
    inputs = {"count": length, "pause_ms": 100 if state != COMPLETED else 0}
    calls.append((stub.RunProgram, jobs.request(jobs.counting, inputs, **fields)))
    unknown = refused(stub.GetJob, jobs_pb2.GetJobRequest(job_id="0" * 20), jobs.client.metadata)
    for method, request in calls:
        error = refused(method, request, jobs.client.metadata)
        assert (error.code, error.reason, error.message) == (unknown.code, unknown.reason, unknown.message)
    for filters in ({}, {"tags": ["to delete"]}, {"all_accounts": True}, {"program_id": jobs.counting}):
        assert job_id not in listed(jobs, **filters)
    events += [event for response in stream for event in response.events]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert states(events)[-1] == (COMPLETED if state == COMPLETED else CANCELLED)
    if state != COMPLETED:
        ends = (
            event.state_change.state
            for response in everything
            for entry in response.entries
            for event in entry.events
            if entry.job_id == job_id
        )
        assert CANCELLED in itertools.takewhile(lambda one: one != COMPLETED, ends)
    everything.cancel()
    if blocking is not None:
        jobs.cancel(blocking)
    # The slot is free again.
    assert states(jobs.events(jobs.run(jobs.counting, {"count": 1})))[-1] == COMPLETED


def test_new_stream_of_all_jobs_shows_only_the_end_of_a_deleted_one(jobs):
    job, _, _ = run_to(jobs, COMPLETED)
    delete(jobs, job)
    request = jobs_pb2.WatchJobsRequest(after_cursor=0)
    stream = jobs.client.jobs.WatchJobs(request, metadata=jobs.client.metadata, timeout=60)
    later = jobs.run(jobs.counting, {"count": 0}).job_id
    seen = []
    for response in stream:
        seen += [event for entry in response.entries if entry.job_id == job.job_id for event in entry.events]
        if any(entry.job_id == later for entry in response.entries):
            break
    stream.cancel()
    assert states(seen) == [COMPLETED]
    assert interim(seen) == []


def test_tags_are_changed_and_found_by(jobs, refused):
    job = jobs.run(jobs.counting, {"count": 0}, tags=["first", "zwölf"])
    assert job.tags == ["first", "zwölf"]
    mark = uuid.uuid4().hex
    changed = update(jobs, job, [mark, "zwölf"], update_mask={"paths": ["tags"]})
    assert changed.tags == [mark, "zwölf"]
    assert listed(jobs, tags=[mark]) == listed(jobs, tags=["zwölf", mark]) == [job.job_id]
    assert job.job_id not in listed(jobs, tags=["first"])
    assert update(jobs, job, []).tags == []
    assert listed(jobs, tags=[mark]) == []
    jobs.events(job)
    assert update(jobs, job, ["after its end"]).tags == jobs.get(job).tags == ["after its end"]
    listing = accounts_pb2.ListAuditEntriesRequest(subject=job.job_id)
    entries = jobs.client.accounts.ListAuditEntries(listing, metadata=jobs.client.metadata).entries
    assert [entry.action for entry in entries] == ["job.update"] * 3 + ["job.run"]
    for fields, field in (
        ({"tags": ["x"] * 17}, "job.tags"),
        ({"tags": ["x" * 65]}, "job.tags"),
        ({"tags": [""]}, "job.tags"),
        *(({"tags": ["fine", f"a{control}b"]}, "job.tags") for control in CONTROLS),
    ):
        request = jobs_pb2.UpdateJobRequest(job=jobs_pb2.Job(job_id=job.job_id, **fields))
        error = refused(jobs.client.jobs.UpdateJob, request, jobs.client.metadata)
        assert set(error.violations) == {field}
    request = jobs_pb2.UpdateJobRequest(
        job=jobs_pb2.Job(job_id=job.job_id), update_mask={"paths": ["tags", "state"]}
    )
    error = refused(jobs.client.jobs.UpdateJob, request, jobs.client.metadata)
    assert set(error.violations) == {"update_mask"}
    assert jobs.get(job).tags == ["after its end"]


@pytest.mark.parametrize("control", CONTROLS)
def test_job_is_not_run_with_a_tag_that_has_a_control_character(jobs, refused, control):
    request = jobs.request(jobs.counting, {"count": 0}, tags=["fine", f"a{control}b"])
    error = refused(jobs.client.jobs.RunProgram, request, jobs.client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    name = f"U+{ord(control):04X}"
    assert error.violations == {"tags": f"has {name} in {f'a{control}b'!r}: leave control characters out"}


def test_tag_with_a_control_character_of_an_older_server_is_read_found_and_replaced(make_stack):
    runtime, old = make_stack(), "two\nlines"
    with RuntimeService(address=runtime.address, token=runtime.token) as service:
        options = {"backend_name": "aer_simulator", "job_tags": ["to be old"]}
        job_id = service.run("hello-world", options, {"iterations": 0}).job_id()
    runtime.stop()
    with closing(sqlite3.connect(runtime.data_dir / "gateway/gateway.db")) as database, database:
        database.execute("UPDATE jobs SET tags = ?", (json.dumps([old]),))
        database.execute("UPDATE job_tags SET tag = ?", (old,))
    runtime.start()
    with RuntimeService(address=runtime.address, token=runtime.token) as service:
        assert service.job(job_id).tags == [old]
        (found,) = service.jobs(job_tags=[old])
        assert found.job_id() == job_id
        with pytest.raises(InputValueError, match=r"job\.tags.*leave control characters out"):
            found.update_tags([old, "new"])
        assert found.update_tags(["new"]) == ["new"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"order_by": "job_id"}, "order_by"),
        ({"order_by": "create_time sideways"}, "order_by"),
        ({"states": [0]}, "states"),
        ({"states": [77]}, "states"),
        ({"tags": [f"{n}" for n in range(17)]}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"program_id": "x" * 101}, "program_id"),
        ({"backend_name": "x" * 101}, "backend_name"),
        ({"created_after": {"nanos": -1}}, "created_after"),
        ({"created_before": {"nanos": 10**9}}, "created_before"),
        ({"page_size": -1}, "page_size"),
        ({"page_token": "x"}, "page_token"),
    ],
)
def test_wrong_filter_is_refused_by_name(jobs, refused, fields, wrong):
    request = jobs_pb2.ListJobsRequest(**fields)
    error = refused(jobs.client.jobs.ListJobs, request, jobs.client.metadata)
    assert (error.reason, set(error.violations)) == ("INVALID_FIELD", {wrong})


def test_times_beyond_all_bounds_and_names_of_nothing_find_nothing_wrong(jobs):
    first = jobs.run(jobs.counting, {"count": 0}).job_id
    assert first in listed(jobs, created_after={"seconds": -(2**62)}, created_before={"seconds": 2**62})
    assert listed(jobs, created_after={"seconds": 2**62}) == []
    assert listed(jobs, tags=["'; DROP TABLE jobs --"]) == listed(jobs, program_id='"') == []
    assert listed(jobs, order_by="create_time")[-1] == listed(jobs)[0] == first


def test_token_of_another_list_is_refused(jobs, refused):
    for _ in range(2):
        jobs.run(jobs.counting, {"count": 0})
    page = jobs.client.jobs.ListJobs(jobs_pb2.ListJobsRequest(page_size=1), metadata=jobs.client.metadata)
    for fields in ({"order_by": "create_time"}, {"tags": ["x"]}, {"program_id": "x"}, {"states": [4]}):
        request = jobs_pb2.ListJobsRequest(page_token=page.next_page_token, **fields)
        error = refused(jobs.client.jobs.ListJobs, request, jobs.client.metadata)
        assert set(error.violations) == {"page_token"}


def test_forged_token_is_refused(jobs, refused):
    for _ in range(2):
        jobs.run(jobs.counting, {"count": 0})
    page = jobs.client.jobs.ListJobs(jobs_pb2.ListJobsRequest(page_size=1), metadata=jobs.client.metadata)
    digest, *_ = json.loads(json.loads(base64.urlsafe_b64decode(page.next_page_token))[1])
    contents = [[], ["", {}, ""], [digest, "x", 1], [digest, 2**64, 1], [digest, 1, True], [digest, 1], 5]
    for text in ("x", "[" * 500, *map(json.dumps, contents)):
        token = base64.urlsafe_b64encode(json.dumps(["jobs", text]).encode()).decode()
        request = jobs_pb2.ListJobsRequest(page_token=token)
        error = refused(jobs.client.jobs.ListJobs, request, jobs.client.metadata)
        assert (error.reason, set(error.violations)) == ("INVALID_FIELD", {"page_token"})


def rows(pair, table: str) -> int:
    """How many rows a table has, of a gateway that runs."""
    path = pair.gateway.layout.gateway_data / "gateway.db"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return count
    finally:
        connection.close()


def test_deletion_and_retention_go_on_after_a_restart(pair, make_program):
    start_pair(pair)
    with pair.gateway.client(pair.token) as client:
        jobs = Jobs(client, make_program)
        counting = jobs.upload(COUNTING)
        ended = [jobs.run(counting, {"count": 3}, tags=["t"]) for _ in range(4)]
        for job in ended:
            jobs.events(job)
        running = jobs.run(counting, {"count": 1000, "pause_ms": 100})
        delete(jobs, ended[3])
        delete(jobs, running)
        pair.gateway.stop(signal.SIGKILL)
    with pair.gateway.database() as connection:
        connection.execute("UPDATE jobs SET purge_time = 1 WHERE purge_time IS NOT NULL")
    pair.gateway.start("--keep-jobs-count", "2")
    with pair.gateway.client(pair.token) as client:
        jobs = Jobs(client, make_program)
        deadline = time.monotonic() + 30
        # The oldest one is hidden for a minute; what was deleted before is gone, and is what ran.
        while rows(pair, "jobs") > 4 or len(listed(jobs)) > 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert listed(jobs) == [ended[2].job_id, ended[1].job_id]
        audit = client.accounts.ListAuditEntries(
            accounts_pb2.ListAuditEntriesRequest(subject=ended[0].job_id), metadata=client.metadata
        ).entries
        assert [(one.account, one.action, one.detail) for one in audit][:1] == [
            ("", "job.delete", "retention")
        ]
        assert states(jobs.events(jobs.run(counting, {"count": 0})))[-1] == COMPLETED
