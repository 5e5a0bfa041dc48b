"""A runtime with small limits, an account that attacks it, one beside it, and what jobs leave behind."""

import hashlib
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

import grpc
import psutil
from security.traces import Size, Traces, differences, find_servers, size, traces

from aerlock import RuntimeService
from aerlock.local_runtime import LocalRuntime
from aerlock.v1 import accounts_pb2, accounts_pb2_grpc, blobs_pb2_grpc, jobs_pb2_grpc
from aerlock.v1.blobs_pb2 import WriteBlobRequest
from aerlock.v1.jobs_pb2 import JobEvent, RunProgramRequest, WatchJobRequest
from aerlock.v1.values_pb2 import BlobRef, MapValue

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
HELPERS = (HERE / "attack.py", HERE.parent / "bpf.py")
MEBIBYTE = 1 << 20
WARM_CELLS = 1
# stub, init and program
PROCESSES_OF_A_CELL = 3
ATTACKERS = 3
"""Hostile jobs at the same time; one slot more is the canary's."""
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
MEMORY_BYTES = 512 * MEBIBYTE
SCRATCH_BYTES = 32 * MEBIBYTE
RESULT_BYTES = 16 * MEBIBYTE
LOG_BYTES = MEBIBYTE
SETTINGS = {
    "AERLOCK_EXECUTOR_SLOTS": str(ATTACKERS + 1),
    "AERLOCK_EXECUTOR_WARM_CELLS": str(WARM_CELLS),
    "AERLOCK_EXECUTOR_CPU_SECONDS": "6",
    "AERLOCK_EXECUTOR_ZYGOTE_JOBS": "100000",
    "AERLOCK_EXECUTOR_CANCEL_GRACE": "1",
    "AERLOCK_EXECUTOR_MEMORY_BYTES": str(MEMORY_BYTES),
    "AERLOCK_EXECUTOR_SCRATCH_BYTES": str(SCRATCH_BYTES),
    "AERLOCK_EXECUTOR_RESULT_BYTES": str(RESULT_BYTES),
    "AERLOCK_EXECUTOR_LOG_BYTES": str(LOG_BYTES),
}


class Account:
    """An ordinary account and what it runs."""

    def __init__(self, runtime: LocalRuntime, channel: grpc.Channel, name: str, stack: ExitStack) -> None:
        accounts = accounts_pb2_grpc.AccountServiceStub(channel)
        admin = (("authorization", f"Bearer {runtime.token}"),)
        account = accounts_pb2.Account(name=name, role=accounts_pb2.Role.ROLE_AUTHOR)
        accounts.CreateAccount(accounts_pb2.CreateAccountRequest(account=account), metadata=admin)
        request = accounts_pb2.CreateTokenRequest(account=name)
        token = accounts.CreateToken(request, metadata=admin).secret
        self.service = stack.enter_context(RuntimeService(address=runtime.address, token=token))
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._channel = channel
        self._jobs = jobs_pb2_grpc.JobServiceStub(channel)
        self._blobs = blobs_pb2_grpc.BlobServiceStub(channel)

    def upload(self, name: str, source: str | Path, seconds: float = 60.0) -> str:
        metadata = {
            "name": name.replace("_", "-"),
            "description": "A test.",
            "max_execution_time": max(1, int(seconds)),
        }
        return self.service.upload_program(source, metadata=metadata)

    def start(self, program_id: str, inputs: dict[str, object] | None = None):
        options = {"backend_name": "aer_simulator"}
        return self.service.run(program_id=program_id, options=options, inputs=inputs or {})

    def submit(self, program_id: str, inputs: MapValue) -> str:
        """Starts a job with inputs that no client has checked; returns its id."""
        request = RunProgramRequest(program_id=program_id, backend_name="aer_simulator", inputs=inputs)
        return self._jobs.RunProgram(request, metadata=self._metadata, timeout=60).job.job_id

    def write_blob(self, content: bytes) -> BlobRef:
        """Writes bytes that may be no Value, as one that is too large for a message."""
        blob = BlobRef(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
        chunks = (content[start : start + MEBIBYTE] for start in range(0, len(content), MEBIBYTE))
        requests = chain([WriteBlobRequest(blob=blob)], (WriteBlobRequest(data=chunk) for chunk in chunks))
        self._blobs.WriteBlob(requests, metadata=self._metadata, timeout=60)
        return blob

    def raw_call(self, method: str):
        """A call of a method with the bytes of a request that no message can hold."""
        call = self._channel.unary_unary(method, lambda request: request, lambda response: response)
        return partial(call, metadata=self._metadata, timeout=60)

    def watch(self, job_id: str) -> grpc.Call:
        """The stream of a job's events, read by whoever takes from it."""
        return self._jobs.WatchJob(WatchJobRequest(job_id=job_id), metadata=self._metadata, timeout=90)

    def events(self, job_id: str) -> list[JobEvent]:
        """The whole log of a job, as a client in any language gets it."""
        return [event for response in self.watch(job_id) for event in response.events]


class Arena:
    """Runs programs of an attacker beside canaries of another account."""

    def __init__(self, runtime: LocalRuntime, stack: ExitStack) -> None:
        self.runtime = runtime
        channel = stack.enter_context(grpc.insecure_channel(runtime.address))
        self.attacker = Account(runtime, channel, "mallory", stack)
        self.neighbour = Account(runtime, channel, "alice", stack)
        self._canary_id = self.neighbour.upload("canary", CANARY)

    def upload(self, name: str, seconds: float = 60.0) -> str:
        """Uploads a hostile program with what they share."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(PROGRAMS / f"{name}.py", f"{folder}/program.py")
            for helper in HELPERS:
                shutil.copy(helper, folder)
            return self.attacker.upload(name, folder, seconds)

    @property
    def places(self) -> list[str]:
        """Paths of what a job must not reach: the servers' files and sockets, and where they listen."""
        paths = [self.runtime.folder, self.runtime.credentials_file, *self.runtime.data_dir.rglob("*")]
        return [self.runtime.tcp_address, *map(str, paths)]

    def run_canary(self) -> float:
        """Runs an innocent job, checks what came of it and returns how many seconds it took."""
        begin = time.monotonic()
        job = self.neighbour.start(self._canary_id)
        assert job.result(timeout=60) == CANARY_RESULT[1]
        seconds = time.monotonic() - begin
        assert job.interim_results() == [CANARY_RESULT[0]]
        return seconds

    @contextmanager
    def canaries(self):
        """Runs one canary after the other beside the block; yields the list of their seconds."""
        seconds: list[float] = []
        errors: list[BaseException] = []
        over = threading.Event()

        def run() -> None:
            try:
                while not over.is_set() or not seconds:
                    seconds.append(self.run_canary())
            except BaseException as error:  # of another thread: it is raised below
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield seconds
        finally:
            over.set()
            thread.join()
        if errors:
            raise errors[0]

    def settled_traces(self) -> Traces:
        """Waits until the pool is full again and nothing else is left; returns what lasts."""
        self._settle()
        return traces(self.runtime)

    def check_traces(self, before: Traces) -> None:
        """Nothing is left: what may vanish late, such as a descriptor, gets some seconds."""
        self._settle()
        deadline = time.monotonic() + 20
        while (after := traces(self.runtime)) != before:
            assert time.monotonic() < deadline, "\n".join(differences(before, after))
            time.sleep(0.05)

    def await_interim(self, job) -> None:
        """Returns when a job of the attacker has published something."""
        published = threading.Event()
        job.stream_results(lambda *_: published.set())
        assert published.wait(60)

    def server(self, name: str) -> psutil.Process:
        """The process of the supervisor, the gateway or the zygote."""
        return find_servers(self.runtime.pid)[name]

    def settled_sizes(self) -> dict[str, Size]:
        """How much each server holds, with a full pool and no job."""
        self._settle()
        return self.sizes()

    def sizes(self) -> dict[str, Size]:
        """How much each server holds now."""
        found = find_servers(self.runtime.pid)
        return {name: size(found[name]) for name in ("gateway", "supervisor", "zygote")}

    def _settle(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            zygote = find_servers(self.runtime.pid)["zygote"]
            if len(zygote.children(recursive=True)) == WARM_CELLS * PROCESSES_OF_A_CELL:
                return
            time.sleep(0.02)
        raise AssertionError(f"something is left over: {zygote.children(recursive=True)}")
