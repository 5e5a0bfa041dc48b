"""The tiers of isolation, each with a real gateway: jobs run, everyone is told, and none is taken unasked."""

import os

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from integration.executor_driver import executor_of_its_own

from aerlock import RuntimeService
from aerlock.server_process import banner
from aerlock.v1.jobs_pb2 import JOB_STATE_COMPLETED, RunProgramRequest
from aerlock.v1.server_pb2 import GetServerInfoRequest
from aerlock_executor.cell.tiers import Tier

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SETTINGS = {
    Tier.REDUCED: {"AERLOCK_EXECUTOR_SANDBOX": "landlock"},
    Tier.NONE: {"AERLOCK_EXECUTOR_INSECURE_NO_SANDBOX": "true"},
}
TLS_FILES = ("--tls-certificate", "a.pem", "--tls-key", "a.key", "--tls-client-ca", "b.pem")
BELL = """
from qiskit import QuantumCircuit, transpile

def main(backend, user_messenger):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return sorted(backend.run(transpile(circuit, backend), shots=200).result().get_counts())
"""
METADATA = {"name": "bell", "description": "A test.", "max_execution_time": 60}
RETURN_ONE = "def main(backend, user_messenger):\n    return 1\n"
# Leaves a daemon, as daemons are made, and says under which pid.
DAEMON = """
import os, time

def main(backend, user_messenger):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writer, str(os.getpid()).encode())
            for fd in range(5):
                os.close(fd)
            time.sleep(600)
        os._exit(0)
    return int(os.read(reader, 16))
"""


def health(address: str, service: str) -> int:
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return health_pb2_grpc.HealthStub(channel).Check(request, timeout=10).status


@pytest.mark.parametrize("tier", SETTINGS)
def test_job_of_a_weaker_tier_runs_and_everyone_is_told(make_stack, tier):
    stack = make_stack(**SETTINGS[tier])
    with RuntimeService(address=stack.address, token=stack.token) as service:
        job = service.run(
            program_id=service.upload_program(BELL, metadata=METADATA),
            options={"backend_name": "aer_simulator"},
        )
        assert job.result(timeout=60) == ["00", "11"]
        info = service.server_info()
    assert info.isolation_tier == tier
    assert any(f"tier is {tier}" in sentence for sentence in info.weaknesses)
    assert health(stack.address, "aerlock.isolation") == NOT_SERVING
    assert health(stack.address, "aerlock.v1.JobService") == SERVING
    # Each of the two says it, and that it is the one.
    assert stack.stderr.count("NOTHING ISOLATES") == (2 if tier is Tier.NONE else 0)
    for server in ("gateway", "executor"):
        assert stack.stderr.count(banner(server)) == (1 if tier is Tier.NONE else 0)
        assert f"aerlock {server}: " in banner(server)


def test_gateway_beyond_this_machine_uses_no_executor_that_isolates_nothing(pair, refused):
    pair.executor.start("--insecure-no-sandbox")
    pair.gateway.start("--listen", "0.0.0.0:0", "--plaintext-from", "127.0.0.0/8")
    with pair.gateway.client(pair.token) as client:
        info = GetServerInfoRequest()
        while client.server.GetServerInfo(info, metadata=client.metadata).isolation_tier != Tier.NONE:
            pass  # until the gateway has met the executor
        run = RunProgramRequest(program_id="hello-world", backend_name="aer_simulator")
        refusal = refused(client.jobs.RunProgram, run, client.metadata)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "EXECUTOR_REFUSED")
    assert "insecure_no_sandbox" in refusal.message
    assert refusal.message in pair.gateway.stderr
    address = f"unix:{pair.gateway.layout.gateway_socket}"
    assert health(address, "aerlock.v1.JobService") == NOT_SERVING
    assert health(address, "aerlock.isolation") == NOT_SERVING


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--insecure-no-sandbox", "--sandbox", "landlock"), "contradict each other"),
        (("--insecure-no-sandbox", "--listen", "127.0.0.1:0", *TLS_FILES), "does not go with listen"),
        (("--sandbox", "none"), "Input should be 'bubblewrap' or 'landlock'"),
    ],
)
def test_settings_that_would_mislead_are_refused(pair, flags, sentence):
    result = pair.executor.refuse_to_start(*flags)
    assert result.returncode == 2
    assert sentence in result.stderr


def test_executor_of_the_full_tier_says_so_and_is_separate_where_it_can_be(stack, service):
    info = service.server_info()
    assert info.isolation_tier == Tier.FULL
    assert health(stack.address, "aerlock.isolation") == SERVING
    separate = os.geteuid() == 0
    assert health(stack.address, "aerlock.separation") == (SERVING if separate else NOT_SERVING)
    assert any("under one uid" in sentence for sentence in info.weaknesses) != separate


def test_task_that_was_promised_another_tier_is_not_started():
    with executor_of_its_own() as executor:
        executor.start(warm_cells=0, sandbox="landlock")
        with pytest.raises(grpc.RpcError) as raised:
            executor.run(RETURN_ONE, isolation_tier="full")
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "the isolation is reduced here" in raised.value.details()
        assert executor.run(RETURN_ONE, isolation_tier="reduced")[-1].ended.state == JOB_STATE_COMPLETED


def test_daemon_of_a_program_that_nothing_isolates_ends_with_its_job():
    with executor_of_its_own() as executor:
        executor.start(warm_cells=0, insecure_no_sandbox=True)
        events = executor.run(DAEMON)
    (pid,) = [event.final_result.int_value for event in events if event.HasField("final_result")]
    assert not psutil.pid_exists(pid)
