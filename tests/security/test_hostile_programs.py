"""Every hostile program, run as a real job, and what is left after it."""

import platform
import time
from pathlib import Path

import grpc
import psutil
import pytest
from security.expectations import ANY, EXPECTATIONS, Expectation

from aerlock import RuntimeService
from aerlock.codec import from_value
from aerlock.local_runtime import LocalRuntime, running_locally
from aerlock.v1.jobs_pb2 import FailureReason, JobEvent, JobState, WatchJobRequest
from aerlock.v1.jobs_pb2_grpc import JobServiceStub

PROGRAMS = Path(__file__).with_name("programs")
CANARY = """
from qiskit import QuantumCircuit, transpile

def main(backend, user_messenger):
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx([0, 1], [1, 2])
    circuit.measure_all()
    counts = backend.run(transpile(circuit, backend), shots=200, seed_simulator=7).result().get_counts()
    user_messenger.publish(sorted(counts))
    return sum(counts.values())
"""
CANARY_RESULT = (["000", "111"], 200)
MEBIBYTE = 1 << 20
WARM_CELLS = 1
# stub, init and program
PROCESSES_OF_A_CELL = 3


class Arena:
    """A runtime with small limits, and a way to run a program on it and to see what is left."""

    def __init__(self, runtime: LocalRuntime, service, channel) -> None:
        self.runtime = runtime
        self.stub = JobServiceStub(channel)
        self.service = service
        self.canary_id = self.upload("canary", CANARY)
        self.run_canary()

    def upload(self, name: str, source: str, seconds: float = 60.0) -> str:
        metadata = {
            "name": name.replace("_", "-"),
            "description": "A test.",
            "max_execution_time": max(1, int(seconds)),
        }
        return self.service.upload_program(source, metadata=metadata)

    def start(self, program_id: str):
        return self.service.run(program_id=program_id, options={"backend_name": "aer_simulator"})

    def run_canary(self) -> None:
        self.check_canary(self.start(self.canary_id))

    def events(self, job_id: str) -> list[JobEvent]:
        """The whole log of a job, as a client in any language gets it."""
        request = WatchJobRequest(job_id=job_id)
        metadata = (("authorization", f"Bearer {self.runtime.token}"),)
        responses = self.stub.WatchJob(request, metadata=metadata, timeout=90)
        return [event for response in responses for event in response.events]

    @staticmethod
    def check_canary(job) -> None:
        assert job.result(timeout=60) == CANARY_RESULT[1]
        assert job.interim_results() == [CANARY_RESULT[0]]

    def processes(self) -> dict[int, str]:
        """All processes below ``aerlock up``: the servers, bubblewrap, the zygote and the warm cells."""
        found = {p.pid: p for p in psutil.Process(self.runtime.pid).children(recursive=True)}
        return {
            pid: " ".join(p.cmdline()[:4]) for pid, p in found.items() if p.status() != psutil.STATUS_ZOMBIE
        }

    def lasting_processes(self) -> set[int]:
        """The servers, bubblewrap and the zygote: all but cells, which descend from the zygote."""
        processes = self.processes()
        zygote = next(pid for pid in processes if is_zygote(pid, processes))
        cells = {child.pid for child in psutil.Process(zygote).children(recursive=True)}
        return processes.keys() - cells

    def settle(self) -> set[int]:
        """Waits until the pool is full again and nothing else is left; returns what lasts."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            lasting, processes = self.lasting_processes(), self.processes()
            if len(processes) == len(lasting) + WARM_CELLS * PROCESSES_OF_A_CELL:
                return lasting
            time.sleep(0.02)
        raise AssertionError(f"something is left over: {processes}")


def is_zygote(pid: int, processes: dict[int, str]) -> bool:
    """Whether this is the Python directly below bubblewrap."""
    parent = psutil.Process(pid).parent()
    return parent is not None and "bwrap" in processes.get(parent.pid, "") and "bwrap" not in processes[pid]


def mounts() -> int:
    return len(Path("/proc/self/mounts").read_text().splitlines())


@pytest.fixture(scope="module")
def arena():
    settings = {
        "AERLOCK_EXECUTOR_SLOTS": "3",
        "AERLOCK_EXECUTOR_WARM_CELLS": str(WARM_CELLS),
        "AERLOCK_EXECUTOR_MEMORY_BYTES": str(512 * MEBIBYTE),
        "AERLOCK_EXECUTOR_SCRATCH_BYTES": str(32 * MEBIBYTE),
        "AERLOCK_EXECUTOR_RESULT_BYTES": str(16 * MEBIBYTE),
        "AERLOCK_EXECUTOR_LOG_BYTES": str(MEBIBYTE),
        "AERLOCK_EXECUTOR_CANCEL_GRACE": "0.5",
    }
    with (
        running_locally(settings) as runtime,
        RuntimeService(address=runtime.address, token=runtime.token) as service,
        grpc.insecure_channel(runtime.address) as channel,
    ):
        yield Arena(runtime, service, channel)


def applicable() -> list[str]:
    """The programs that attack this kind of machine."""
    return [name for name, expected in EXPECTATIONS.items() if expected.machine in ("", platform.machine())]


def test_every_program_has_an_expectation_and_the_other_way_round():
    assert {path.stem for path in PROGRAMS.glob("*.py")} == set(EXPECTATIONS)


@pytest.mark.parametrize("name", applicable())
def test_hostile_program_is_contained(arena, name):
    expected = EXPECTATIONS[name]
    program_id = arena.upload(name, (PROGRAMS / f"{name}.py").read_text(), expected.seconds)
    lasting, mounted = arena.settle(), mounts()

    drawn = []
    for _ in range(expected.runs):
        beside = arena.start(arena.canary_id)
        job = arena.start(program_id)
        check_outcome(arena.events(job.job_id()), expected)
        if not expected.repeats:
            drawn += job.result(timeout=60).items()
        arena.check_canary(beside)
    arena.run_canary()
    assert len(set(drawn)) == len(drawn)

    assert arena.settle() == lasting
    assert mounts() == mounted


def check_outcome(events: list[JobEvent], expected: Expectation) -> None:
    """The state and reason are as expected, and the log is dense and ends with its one terminal event."""
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    changes = [event.state_change for event in events if event.HasField("state_change")]
    assert [change.state for change in changes[:-1]] == [
        JobState.JOB_STATE_QUEUED,
        JobState.JOB_STATE_RUNNING,
    ]
    assert events[-1].state_change == changes[-1]
    failure = changes[-1].failure
    assert JobState.Name(changes[-1].state) == f"JOB_STATE_{expected.state}", failure
    reason = FailureReason.Name(failure.reason).removeprefix("FAILURE_REASON_")
    if expected.reasons:
        assert reason in expected.reasons, failure
    if expected.signal is not None:
        assert failure.signal == expected.signal
    assert expected.message in failure.message
    if expected.state == "COMPLETED" and expected.result is not ANY:
        (final,) = [event.final_result for event in events if event.HasField("final_result")]
        assert from_value(final) == expected.result
