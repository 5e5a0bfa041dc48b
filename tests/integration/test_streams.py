"""Streams of results as a client has them: idle, cut by a restart, cancelled, too many, or forked."""

import subprocess
import sys
import threading
import time

import grpc
import pytest
from documents import code_block, printed_by
from proxy import Proxy

from aerlock import (
    AerlockError,
    InputValueError,
    QuotaExceededError,
    RuntimeJobNotFound,
    RuntimeService,
)
from aerlock.v1 import jobs_pb2, jobs_pb2_grpc

OPTIONS = {"backend_name": "aer_simulator"}
METADATA = {"name": "sample", "description": "A sample.", "max_execution_time": 60}
PATIENCE_SECONDS = 60

FIVE = """
import time

def main(backend, user_messenger, pause=0.0):
    for number in range(5):
        user_messenger.publish(number)
        time.sleep(pause)
    return "done"
"""
SLEEPY = """
import time

def main(backend, user_messenger, seconds):
    user_messenger.publish("begun")
    time.sleep(seconds)
    return "awake"
"""


@pytest.fixture
def five(service) -> str:
    return service.upload_program(FIVE, METADATA)


def test_callback_gets_exactly_the_five_messages(service, five):
    seen = []
    job = service.run(five, OPTIONS, callback=lambda job_id, message: seen.append((job_id, message)))
    assert job.result(PATIENCE_SECONDS) == "done"
    assert seen == [(job.job_id(), number) for number in range(5)]


def test_gateway_that_restarts_within_a_stream_leaves_it_exactly_once(pair):
    pair.executor.start("--slots", "1")
    pair.gateway.start()
    seen, second = [], threading.Event()

    def callback(job_id: str, message: int) -> None:
        seen.append(message)
        if message == 1:
            second.set()

    with RuntimeService(f"unix:{pair.gateway.layout.gateway_socket}", pair.token) as service:
        wait_for_executor(service)
        job = service.run(service.upload_program(FIVE, METADATA), OPTIONS, {"pause": 0.3}, callback)
        assert second.wait(PATIENCE_SECONDS)
        pair.gateway.stop()
        pair.gateway.start()
        assert job.result(PATIENCE_SECONDS) == "done"
    assert seen == [0, 1, 2, 3, 4]


def wait_for_executor(service: RuntimeService) -> None:
    while not service.server_info().isolation_tier:
        time.sleep(0.05)


def test_callback_is_called_no_more_once_its_job_is_cancelled(service):
    program_id = service.upload_program(SLEEPY, METADATA)
    begun, seen = threading.Event(), []

    def callback(job_id: str, message: str) -> None:
        seen.append(message)
        begun.set()

    job = service.run(program_id, OPTIONS, {"seconds": 50}, callback)
    assert begun.wait(PATIENCE_SECONDS)
    job.cancel()
    job.wait_for_final_state(PATIENCE_SECONDS)
    assert seen == ["begun"]
    # The stream has ended with the job: another may take its place.
    job.stream_results(callback)
    job.wait_for_final_state(PATIENCE_SECONDS)
    assert seen == ["begun", "begun"]


def test_idle_stream_survives_a_router_that_forgets_silent_connections(make_stack):
    stack = make_stack(AERLOCK_GATEWAY_KEEPALIVE_INTERVAL="0.3")
    proxy = Proxy(stack.tcp_address, idle_seconds=1.0)
    try:
        with RuntimeService(proxy.address, stack.token, keepalive_seconds=0.3) as service:
            job = service.run(service.upload_program(SLEEPY, METADATA), OPTIONS, {"seconds": 4})
            assert job.result(PATIENCE_SECONDS) == "awake"
            # Neither the silence has ended the connection, nor did the server take pings for an attack.
            assert proxy.connections == 1
    finally:
        proxy.close()


def test_client_that_vanishes_leaves_no_stream_behind(make_stack):
    stack = make_stack(AERLOCK_GATEWAY_KEEPALIVE_INTERVAL="1", AERLOCK_GATEWAY_MAX_STREAMS_PER_ACCOUNT="1")
    metadata = (("authorization", f"Bearer {stack.token}"),)
    proxy = Proxy(stack.tcp_address)
    with grpc.insecure_channel(proxy.address) as gone, grpc.insecure_channel(stack.address) as channel:
        request = jobs_pb2.WatchJobsRequest(after_cursor=-1)
        next(jobs_pb2_grpc.JobServiceStub(gone).WatchJobs(request, metadata=metadata))
        proxy.is_silent = True
        watch = jobs_pb2_grpc.JobServiceStub(channel).WatchJobs
        codes = []
        while not codes or codes[-1] != grpc.StatusCode.OK:
            codes.append(code_of_first(watch(request, metadata=metadata)))
            time.sleep(0.1)
        assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OK}
    proxy.close()


def code_of_first(stream) -> grpc.StatusCode:
    """How the first response of a stream comes, which is ended then."""
    try:
        next(stream)
    except grpc.RpcError as error:
        return error.code()
    stream.cancel()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("seconds", [0, -1, 1e9, float("nan")])
def test_keepalive_out_of_bounds_is_refused(stack, seconds):
    with pytest.raises(InputValueError, match="keepalive_seconds"):
        RuntimeService(stack.address, stack.token, keepalive_seconds=seconds)


def test_result_says_so_where_too_many_streams_are_open(make_stack):
    stack = make_stack(AERLOCK_GATEWAY_MAX_STREAMS_PER_ACCOUNT="2")
    metadata = (("authorization", f"Bearer {stack.token}"),)
    with (
        RuntimeService(stack.address, stack.token) as service,
        grpc.insecure_channel(stack.address) as channel,
    ):
        job = service.run(service.upload_program(FIVE, METADATA), OPTIONS)
        assert job.result(PATIENCE_SECONDS) == "done"
        stub = jobs_pb2_grpc.JobServiceStub(channel)
        streams = [stub.WatchJobs(jobs_pb2.WatchJobsRequest(), metadata=metadata) for _ in range(2)]
        for stream in streams:
            next(stream)
        with pytest.raises(QuotaExceededError, match="too many") as refused:
            service.job(job.job_id()).result(PATIENCE_SECONDS)
        assert (refused.value.reason, refused.value.retry_seconds) == ("TOO_MANY_STREAMS", 1.0)
        for stream in streams:
            stream.cancel()


FORKED = """
import os, signal, sys
from aerlock import AerlockError, RuntimeService

service = RuntimeService(sys.argv[1], sys.argv[2])
job = service.job(sys.argv[3])
results = []
job.stream_results(lambda job_id, result: results.append(result))
if os.fork() == 0:
    signal.alarm(30)
    for work in (job.status, job.result, job.wait_for_final_state, job.logs, lambda: service.job("any")):
        try:
            work()
            print("no error", flush=True)
        except AerlockError as error:
            print(error, flush=True)
    service.close()
    os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
job.cancel()
print(job.wait_for_final_state(60), flush=True)
service.close()
"""


def test_forked_child_is_told_to_make_a_service_of_its_own(service, stack):
    job = service.run(service.upload_program(SLEEPY, METADATA), OPTIONS, {"seconds": 50})
    arguments = [sys.executable, "-c", FORKED, stack.address, stack.token, job.job_id()]
    answer = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=100)
    *errors, exit_code, end = answer.stdout.splitlines()
    assert len(errors) == 5
    assert all("make another RuntimeService here" in error for error in errors)
    assert (exit_code, end) == ("0", "None")


def test_result_of_a_job_that_is_deleted_behind_a_cut_connection_is_not_found(service, stack):
    proxy = Proxy(stack.tcp_address)
    errors = []
    with RuntimeService(proxy.address, stack.token) as cut_off:
        job = cut_off.run(cut_off.upload_program(SLEEPY, METADATA), OPTIONS, {"seconds": 50})

        def wait() -> None:
            try:
                job.result(PATIENCE_SECONDS)
            except AerlockError as error:
                errors.append(type(error))

        begun = threading.Event()
        job.stream_results(lambda job_id, message: begun.set())
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert begun.wait(PATIENCE_SECONDS)
        proxy.refusing = True
        proxy.cut()
        assert proxy.refused.acquire(timeout=PATIENCE_SECONDS)
        service.delete_job(job.job_id())
        proxy.refusing = False
        waiting.join(PATIENCE_SECONDS)
    proxy.close()
    assert errors == [RuntimeJobNotFound]


def test_stream_of_a_deleted_job_ends_with_its_terminal_event(service, stack):
    job = service.run(service.upload_program(SLEEPY, METADATA), OPTIONS, {"seconds": 50})
    metadata = (("authorization", f"Bearer {stack.token}"),)
    with grpc.insecure_channel(stack.address) as channel:
        request = jobs_pb2.WatchJobRequest(job_id=job.job_id())
        stream = jobs_pb2_grpc.JobServiceStub(channel).WatchJob(request, metadata=metadata, timeout=100)
        events = list(next(stream).events)
        service.delete_job(job.job_id())
        events += [event for response in stream for event in response.events]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].state_change.state == jobs_pb2.JOB_STATE_CANCELLED


def test_session_of_the_documentation_runs_as_it_stands(stack):
    session = code_block("jobs.md", "Watching", "python")
    result = subprocess.run(
        [sys.executable, "-c", session],
        env=stack.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout.splitlines() == printed_by(session)


UNCLOSED = """
from aerlock import RuntimeService

service = RuntimeService()
job = service.run("hello-world", {"backend_name": "aer_simulator"}, {"iterations": 0})
print(job.result())
print(service.job(job.job_id()).result())
"""


def test_process_that_closes_nothing_ends_after_its_last_result(stack):
    for _ in range(5):
        command = [sys.executable, "-c", UNCLOSED]
        subprocess.run(command, env=stack.environment, capture_output=True, check=True, timeout=60)
