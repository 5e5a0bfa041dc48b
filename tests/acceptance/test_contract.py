"""The whole run with generated stubs alone: what a client in any language does."""

import uuid
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from aerlock.v1 import (
    backends_pb2,
    backends_pb2_grpc,
    jobs_pb2,
    jobs_pb2_grpc,
    programs_pb2,
    programs_pb2_grpc,
    server_pb2,
    server_pb2_grpc,
    values_pb2,
)

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/hello_world/program.py"


@pytest.fixture(params=["unix socket", "loopback"])
def channel(request, stack):
    address = stack.address if request.param == "unix socket" else stack.tcp_address
    with grpc.insecure_channel(address) as channel:
        yield channel


def integer(key: str, value: int) -> values_pb2.MapEntry:
    return values_pb2.MapEntry(key=key, value=values_pb2.Value(int_value=value))


def test_program_is_uploaded_run_and_watched_with_stubs_alone(channel, stack):
    metadata = (("authorization", f"Bearer {stack.token}"),)
    programs = programs_pb2_grpc.ProgramServiceStub(channel)
    jobs = jobs_pb2_grpc.JobServiceStub(channel)

    program = programs_pb2.Program(
        name="stub-hello",
        description="Uploaded with generated stubs.",
        max_execution_time=Duration(seconds=60),
        source=programs_pb2.ProgramSource(files={"program.py": EXAMPLE.read_bytes()}),
    )
    uploaded = programs.UploadProgram(
        programs_pb2.UploadProgramRequest(program=program), metadata=metadata
    ).program
    assert uploaded.program_id.startswith("stub-hello-")
    assert uploaded.revision == 1

    request = jobs_pb2.RunProgramRequest(
        program_id=uploaded.program_id,
        backend_name="aer_simulator",
        inputs=values_pb2.MapValue(entries=[integer("iterations", 3)]),
        request_id=uuid.uuid4().hex,
    )
    job = jobs.RunProgram(request, metadata=metadata).job
    assert jobs.RunProgram(request, metadata=metadata).job.job_id == job.job_id

    events = [
        event
        for response in jobs.WatchJob(jobs_pb2.WatchJobRequest(job_id=job.job_id), metadata=metadata)
        for event in response.events
    ]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    states = [event.state_change.state for event in events if event.HasField("state_change")]
    assert states == [jobs_pb2.JOB_STATE_QUEUED, jobs_pb2.JOB_STATE_RUNNING, jobs_pb2.JOB_STATE_COMPLETED]
    assert events[-1].HasField("state_change")

    interim = [event.interim_result.map_value for event in events if event.HasField("interim_result")]
    assert [[entry.key for entry in result.entries] for result in interim] == [["iteration", "counts"]] * 3
    assert [result.entries[0].value.int_value for result in interim] == [0, 1, 2]
    for result in interim:
        assert sum(count.value.int_value for count in counts_of(result)) == 1024
    final = [event.final_result for event in events if event.HasField("final_result")]
    assert final == [values_pb2.Value(string_value="All done!")]

    ended = jobs.GetJob(jobs_pb2.GetJobRequest(job_id=job.job_id), metadata=metadata).job
    assert ended.state == jobs_pb2.JOB_STATE_COMPLETED
    assert ended.isolation_tier == "full"
    assert ended.last_sequence == len(events)
    assert ended.usage.cpu_time.ToNanoseconds() > 0


def counts_of(result: values_pb2.MapValue) -> list[values_pb2.MapEntry]:
    """The entries of counts, whether they came bare or under a tag."""
    counts = result.entries[1].value
    if counts.HasField("tagged_value"):
        counts = counts.tagged_value.value
    return list(counts.map_value.entries)


def test_openqasm_circuit_goes_in_without_qiskit(channel, stack):
    metadata = (("authorization", f"Bearer {stack.token}"),)
    source = b"""
from qiskit import transpile

def main(backend, user_messenger, circuit):
    user_messenger.publish(circuit.num_qubits)
    return dict(backend.run(transpile(circuit, backend), shots=100).result().get_counts())
"""
    program = programs_pb2.Program(
        name="qasm",
        description="Runs one circuit.",
        max_execution_time=Duration(seconds=60),
        source=programs_pb2.ProgramSource(files={"program.py": source}),
    )
    programs = programs_pb2_grpc.ProgramServiceStub(channel)
    jobs = jobs_pb2_grpc.JobServiceStub(channel)
    uploaded = programs.UploadProgram(
        programs_pb2.UploadProgramRequest(program=program), metadata=metadata
    ).program
    for circuit in (
        values_pb2.Circuit(
            openqasm3='OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; x q[0]; c = measure q;'
        ),
        values_pb2.Circuit(
            openqasm2='OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; x q[0]; measure q -> c;'
        ),
    ):
        entry = values_pb2.MapEntry(key="circuit", value=values_pb2.Value(circuit_value=circuit))
        job = jobs.RunProgram(
            jobs_pb2.RunProgramRequest(
                program_id=uploaded.program_id,
                backend_name="aer_simulator",
                inputs=values_pb2.MapValue(entries=[entry]),
            ),
            metadata=metadata,
        ).job
        responses = list(jobs.WatchJob(jobs_pb2.WatchJobRequest(job_id=job.job_id), metadata=metadata))
        events = [event for response in responses for event in response.events]
        final = [event.final_result.map_value for event in events if event.HasField("final_result")]
        assert [(entry.key, entry.value.int_value) for entry in final[0].entries] == [("01", 100)], events


def test_health_answers_without_a_token(channel):
    response = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_describes_the_contract(channel, stack):
    services = set(ProtoReflectionDescriptorDatabase(channel).get_services())
    assert {
        "aerlock.v1.ProgramService",
        "aerlock.v1.JobService",
        "aerlock.v1.BackendService",
        "aerlock.v1.ServerService",
        "grpc.health.v1.Health",
    } <= services


def test_server_info_and_backends_name_what_there_is(channel, stack):
    metadata = (("authorization", f"Bearer {stack.token}"),)
    info = server_pb2_grpc.ServerServiceStub(channel).GetServerInfo(
        server_pb2.GetServerInfoRequest(), metadata=metadata
    )
    assert info.account == "admin"
    assert info.isolation_tier == "full"
    assert info.qpy_version >= 13
    backends = backends_pb2_grpc.BackendServiceStub(channel)
    names = [
        b.name for b in backends.ListBackends(backends_pb2.ListBackendsRequest(), metadata=metadata).backends
    ]
    assert "aer_simulator" in names
    assert names == sorted(names)
