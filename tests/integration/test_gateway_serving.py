"""Starting, stopping, authentication and what stands open."""

import re
import signal
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from aerlock.v1 import jobs_pb2, programs_pb2, server_pb2


def test_call_without_token_is_unauthenticated(gateway, refused):
    with gateway.gateway.client("") as client:
        error = refused(client.server.GetServerInfo, server_pb2.GetServerInfoRequest())
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")


@pytest.mark.parametrize(
    "value", ["Bearer wrong", "Bearer ", "Basic nope", "nonsense", "Bearer " + "x" * 5000]
)
def test_call_with_wrong_token_is_unauthenticated(gateway, client, refused, value):
    metadata = (("authorization", value),)
    error = refused(client.server.GetServerInfo, server_pb2.GetServerInfoRequest(), metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
    secret = value.split()[-1]
    assert secret == "Bearer" or secret not in error.message
    assert secret == "Bearer" or secret not in gateway.gateway.stderr


def test_stream_without_token_is_unauthenticated(client, refused):
    error = refused(client.jobs.WatchJobs, jobs_pb2.WatchJobsRequest())
    assert error.reason == "TOKEN_MISSING"


def test_server_info_names_the_account(client):
    info = client.server.GetServerInfo(server_pb2.GetServerInfoRequest(), metadata=client.metadata)
    assert (info.account, info.isolation_tier, info.max_inline_value_bytes) == ("admin", "", 1 << 20)


def test_health_and_reflection_answer_without_token(client):
    health = health_pb2_grpc.HealthStub(client.channel)
    answers = {
        service: health.Check(health_pb2.HealthCheckRequest(service=service)).status
        for service in ("", "aerlock.v1.ProgramService", "aerlock.v1.JobService")
    }
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    # Without an executor no job can run.
    assert list(answers.values()) == [serving, serving, not_serving]
    assert "aerlock.v1.ProgramService" in ProtoReflectionDescriptorDatabase(client.channel).get_services()


def test_health_is_watched_without_a_token_as_often_as_anyone_likes(client):
    """As SECURITY.md says: what the streams of strangers cost the gateway is for a proxy to bound."""
    health = health_pb2_grpc.HealthStub(client.channel)
    streams = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(200)]
    assert {next(stream).status for stream in streams} == {health_pb2.HealthCheckResponse.SERVING}


def test_reflection_that_is_turned_off_is_unimplemented(make_gateway):
    gateway = make_gateway()
    token = gateway.bootstrap()
    gateway.start("--no-reflection")
    with gateway.client(token) as client, pytest.raises(grpc.RpcError) as raised:
        ProtoReflectionDescriptorDatabase(client.channel).get_services()
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_port_in_use_is_one_sentence(make_gateway):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = make_gateway().refuse_to_start("--listen", f"127.0.0.1:{port}")
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "address", ["0.0.0.0:8765", "[::]:8765", "192.0.2.1:8765", "example.org:1", "nonsense"]
)
def test_address_that_is_not_loopback_is_refused(make_gateway, address):
    result = make_gateway().refuse_to_start("--listen", address)
    assert result.returncode == 2
    assert "listen" in result.stderr
    assert "Traceback" not in result.stderr


def test_socket_in_an_open_directory_is_refused(make_gateway):
    gateway = make_gateway()
    gateway.layout.gateway_sockets.chmod(0o755)
    result = gateway.refuse_to_start("--listen", "127.0.0.1:0")
    assert result.returncode == 1
    assert "chmod 0750" in result.stderr


def test_socket_path_that_is_too_long_is_refused(make_gateway):
    result = make_gateway().refuse_to_start("--socket", f"/tmp/{'x' * 110}")
    assert result.returncode == 2
    assert "107" in result.stderr


def test_second_gateway_on_the_same_data_is_refused(gateway):
    result = gateway.gateway.refuse_to_start("--listen", "127.0.0.1:0")
    assert result.returncode == 1
    assert "another server" in result.stderr


def test_database_of_a_newer_version_is_refused(make_gateway):
    gateway = make_gateway()
    gateway.bootstrap()
    with gateway.database() as database:
        database.execute("PRAGMA user_version = 99")
    result = gateway.refuse_to_start("--listen", "127.0.0.1:0")
    assert result.returncode == 1
    assert "schema version 99" in result.stderr
    assert re.search(r"knows schema version [1-9]\d*:", result.stderr)
    assert "Traceback" not in result.stderr


def test_file_that_is_no_database_is_refused(make_gateway):
    gateway = make_gateway()
    path = gateway.layout.gateway_data / "gateway.db"
    path.write_bytes(b"not a database" * 1000)
    path.chmod(0o666)
    result = gateway.refuse_to_start("--listen", "127.0.0.1:0")
    assert result.returncode == 1
    assert "gateway.db" in result.stderr
    assert "Traceback" not in result.stderr


def test_bootstrap_keeps_a_valid_token_and_replaces_others(make_gateway):
    gateway = make_gateway()
    first = gateway.bootstrap()
    assert gateway.bootstrap(first) == first
    second = gateway.bootstrap("mistyped")
    assert second not in (first, "mistyped")
    assert gateway.bootstrap(first) == first
    with gateway.database() as database:
        assert database.execute("SELECT name, role FROM accounts").fetchall() == [("admin", "admin")]
        stored = database.execute("SELECT * FROM tokens").fetchall()
        assert database.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert first not in repr(stored)


def test_restart_keeps_everything(make_gateway, make_program):
    gateway = make_gateway()
    token = gateway.bootstrap()
    gateway.start()
    request = programs_pb2.UploadProgramRequest(program=make_program(name="Kept one"))
    with gateway.client(token) as client:
        uploaded = client.programs.UploadProgram(request, metadata=client.metadata).program
    assert gateway.stop(signal.SIGTERM) == 0
    assert not gateway.layout.gateway_socket.exists()
    gateway.start()
    with gateway.client(token) as client:
        get = programs_pb2.GetProgramRequest(program_id=uploaded.program_id)
        assert client.programs.GetProgram(get, metadata=client.metadata).program == uploaded
        listed = client.programs.ListPrograms(programs_pb2.ListProgramsRequest(), metadata=client.metadata)
    assert [program.program_id for program in listed.programs] == ["hello-world", uploaded.program_id]
    assert listed.programs[0].revision == 1
    assert token not in gateway.stderr


def test_watcher_gets_unavailable_when_the_gateway_stops(make_gateway):
    gateway = make_gateway()
    token = gateway.bootstrap()
    gateway.start()
    with gateway.client(token) as client:
        stream = client.jobs.WatchJobs(jobs_pb2.WatchJobsRequest(after_cursor=-1), metadata=client.metadata)
        assert next(stream).cursor == 0
        assert gateway.stop(signal.SIGINT) == 0
        with pytest.raises(grpc.RpcError) as raised:
            next(stream)
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE


def test_gateway_stops_when_its_standard_input_closes(make_gateway):
    gateway = make_gateway()
    gateway.start("--stop-on-stdin-eof")
    gateway.process.stdin.close()
    assert gateway.wait() == 0


@pytest.mark.parametrize(
    ("method", "is_stream"),
    [
        ("JobService/GetJob", False),
        ("JobService/WatchJob", True),
        ("ProgramService/UploadProgram", False),
        ("BlobService/ReadBlob", True),
    ],
)
@pytest.mark.parametrize("request_bytes", [b"\xff", b"\x0a\x7f", b"\x0a\x01\xff"])
def test_bytes_that_are_no_request_are_an_invalid_argument(client, refused, method, is_stream, request_bytes):
    make = client.channel.unary_stream if is_stream else client.channel.unary_unary
    error = refused(make(f"/aerlock.v1.{method}"), request_bytes, client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert "stubs" in error.message


def test_bytes_in_a_stream_of_requests_that_are_none_are_an_invalid_argument(client):
    write = client.channel.stream_unary("/aerlock.v1.BlobService/WriteBlob")
    with pytest.raises(grpc.RpcError) as refused:
        write(iter([b"\xff"]), metadata=client.metadata, timeout=30)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
