"""How many jobs of an account may wait and run."""

import time

import grpc
import pytest

from aerlock.v1 import accounts_pb2, jobs_pb2, programs_pb2

QUEUED, RUNNING = 1, 2
LONG = b"import time\ndef main(backend, user_messenger):\n    time.sleep(600)"


@pytest.fixture
def world(pair, make_account, make_program):
    """Two accounts with a program that runs for long, four slots, and an account limited in both ways."""
    pair.executor.start("--slots", "4", "--warm-cells", "0")
    pair.gateway.start("--max-queued-jobs-per-account", "3")
    with pair.gateway.client(pair.token) as admin:
        upload = programs_pb2.UploadProgramRequest(
            program=make_program(LONG, visibility=programs_pb2.VISIBILITY_PUBLIC)
        )
        admin.program_id = admin.programs.UploadProgram(upload, metadata=admin.metadata).program.program_id
        admin.alice = make_account(admin, "alice", max_queued_jobs=2, max_running_jobs=1)
        admin.bob = make_account(admin, "bob", "runner")
        yield admin


def request(world):
    return jobs_pb2.RunProgramRequest(program_id=world.program_id, backend_name="aer_simulator")


def run(world, metadata):
    deadline = time.monotonic() + 30
    while True:
        try:
            return world.jobs.RunProgram(request(world), metadata=metadata).job
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() > deadline:
                raise


def state(world, job):
    return world.jobs.GetJob(jobs_pb2.GetJobRequest(job_id=job.job_id), metadata=world.metadata).job.state


def until_running(world, job):
    watch = jobs_pb2.WatchJobRequest(job_id=job.job_id)
    for response in world.jobs.WatchJob(watch, metadata=world.metadata, timeout=60):
        if any(event.state_change.state == RUNNING for event in response.events):
            return


def set_limits(world, name, **limits):
    account = accounts_pb2.Account(name=name, limits=accounts_pb2.AccountLimits(**limits))
    update = accounts_pb2.UpdateAccountRequest(account=account)
    update.update_mask.paths.append("limits")
    world.accounts.UpdateAccount(update, metadata=world.metadata)


def test_account_at_its_running_limit_waits_and_blocks_nobody(world):
    first, second, third = (run(world, world.alice) for _ in range(3))
    assert [job.state for job in (first, second, third)] == [RUNNING, QUEUED, QUEUED]
    others = [run(world, world.bob) for _ in range(2)]
    assert [job.state for job in others] == [RUNNING, RUNNING]
    world.jobs.CancelJob(jobs_pb2.CancelJobRequest(job_id=first.job_id), metadata=world.alice)
    until_running(world, second)
    assert state(world, third) == QUEUED


def test_next_slot_goes_to_the_account_that_runs_the_fewest(world):
    flood = [run(world, world.bob) for _ in range(4 + 3)]
    late = run(world, world.alice)
    answers = [
        world.jobs.GetJob(jobs_pb2.GetJobRequest(job_id=job.job_id), metadata=world.metadata)
        for job in (late, *flood[4:])
    ]
    assert [answer.job.queue_position for answer in answers] == [0, 1, 2, 3]
    assert late.queue_position == 0
    world.jobs.CancelJob(jobs_pb2.CancelJobRequest(job_id=flood[0].job_id), metadata=world.bob)
    until_running(world, late)
    assert [state(world, job) for job in flood[4:]] == [QUEUED] * 3


def test_limit_that_is_raised_lets_what_waits_start(world):
    first, second, third = (run(world, world.alice) for _ in range(3))
    set_limits(world, "alice", max_running_jobs=2)
    until_running(world, second)
    assert state(world, third) == QUEUED
    set_limits(world, "alice", max_running_jobs=0)
    world.jobs.CancelJob(jobs_pb2.CancelJobRequest(job_id=first.job_id), metadata=world.alice)
    assert run(world, world.bob).state == RUNNING
    assert state(world, third) == QUEUED
    set_limits(world, "alice")
    until_running(world, third)


def test_account_with_a_full_queue_is_refused_with_limit_and_use(world, refused):
    for _ in range(3):
        run(world, world.alice)
    error = refused(world.jobs.RunProgram, request(world), world.alice)
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
    assert error.quota == {"account:alice": "alice has 2 jobs that wait, and may have 2"}
    assert error.retry_seconds > 0
    assert run(world, world.bob).state == RUNNING


def test_limit_of_the_settings_counts_where_an_account_has_none(world, refused):
    for _ in range(4 + 3):
        run(world, world.bob)
    error = refused(world.jobs.RunProgram, request(world), world.bob)
    assert error.quota == {"account:bob": "bob has 3 jobs that wait, and may have 3"}
    assert run(world, world.alice).state == QUEUED


def test_running_and_cancelling_a_job_are_in_the_audit_once(world):
    job = run(world, world.bob)
    for _ in range(2):
        world.jobs.CancelJob(jobs_pb2.CancelJobRequest(job_id=job.job_id), metadata=world.metadata)
    listing = accounts_pb2.ListAuditEntriesRequest(subject=job.job_id)
    entries = world.accounts.ListAuditEntries(listing, metadata=world.metadata).entries
    assert [(entry.account, entry.action) for entry in entries] == [
        ("admin", "job.cancel"),
        ("bob", "job.run"),
    ]
    assert entries[1].detail == f"program={world.program_id} revision=1"
