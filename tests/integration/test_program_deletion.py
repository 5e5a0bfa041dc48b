"""A program that is deleted while jobs of it wait: they run with what they were queued with."""

import time

import grpc
import pytest

from aerlock.v1 import backends_pb2, jobs_pb2, programs_pb2
from aerlock.v1.programs_pb2 import Program, ProgramSource

SAYING = "def main(backend, user_messenger): return {!r}"


def has_backends(client) -> bool:
    try:
        client.backends.ListBackends(backends_pb2.ListBackendsRequest(), metadata=client.metadata)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE  # noqa: PT017
        return False
    return True


@pytest.fixture
def client(pair):
    """A client of a gateway that has known an executor, which is gone now."""
    pair.executor.start()
    pair.gateway.start()
    with pair.gateway.client(pair.token) as client:
        deadline = time.monotonic() + 60
        while not has_backends(client):
            assert time.monotonic() < deadline
        pair.executor.stop()
        yield client


def test_queued_jobs_of_a_deleted_program_run_with_their_revisions(pair, client, make_program):
    def run(program_id):
        request = jobs_pb2.RunProgramRequest(program_id=program_id, backend_name="aer_simulator")
        return client.jobs.RunProgram(request, metadata=client.metadata).job

    upload = programs_pb2.UploadProgramRequest(program=make_program(SAYING.format("first").encode()))
    program_id = client.programs.UploadProgram(upload, metadata=client.metadata).program.program_id
    first = run(program_id)
    source = ProgramSource(files={"program.py": SAYING.format("second").encode()})
    update = programs_pb2.UpdateProgramRequest(program=Program(program_id=program_id, source=source))
    client.programs.UpdateProgram(update, metadata=client.metadata)
    second = run(program_id)
    delete = programs_pb2.DeleteProgramRequest(program_id=program_id)
    client.programs.DeleteProgram(delete, metadata=client.metadata)
    assert [first.program_revision, second.program_revision] == [1, 2]
    pair.executor.start()
    for job, result in ((first, "first"), (second, "second")):
        watch = jobs_pb2.WatchJobRequest(job_id=job.job_id, kinds=[jobs_pb2.EVENT_KIND_FINAL_RESULT])
        stream = client.jobs.WatchJob(watch, metadata=client.metadata, timeout=100)
        events = [event for response in stream for event in response.events]
        assert [e.final_result.string_value for e in events if e.HasField("final_result")] == [result]
        request = jobs_pb2.GetJobRequest(job_id=job.job_id)
        assert client.jobs.GetJob(request, metadata=client.metadata).job.program_id == program_id
