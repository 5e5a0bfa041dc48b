"""A runtime with small limits, an account that attacks it, one beside it, and what jobs leave behind."""

import shutil
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil

from aerlock import RuntimeService
from aerlock.cgroup_hierarchies import own_hierarchies
from aerlock.cli.unprivileged import EXECUTOR_UID
from aerlock.local_runtime import LocalRuntime
from aerlock.v1 import accounts_pb2, accounts_pb2_grpc, jobs_pb2_grpc
from aerlock.v1.jobs_pb2 import JobEvent, WatchJobRequest

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
SETTINGS = {
    "AERLOCK_EXECUTOR_SLOTS": str(ATTACKERS + 1),
    "AERLOCK_EXECUTOR_WARM_CELLS": str(WARM_CELLS),
    "AERLOCK_EXECUTOR_CPU_SECONDS": "6",
    "AERLOCK_EXECUTOR_ZYGOTE_JOBS": "100000",
    "AERLOCK_EXECUTOR_CANCEL_GRACE": "1",
    "AERLOCK_EXECUTOR_MEMORY_BYTES": str(512 * MEBIBYTE),
    "AERLOCK_EXECUTOR_SCRATCH_BYTES": str(32 * MEBIBYTE),
    "AERLOCK_EXECUTOR_RESULT_BYTES": str(16 * MEBIBYTE),
    "AERLOCK_EXECUTOR_LOG_BYTES": str(MEBIBYTE),
}


@dataclass(frozen=True)
class Traces:
    """What may not change by whatever a job does, once it has ended."""

    servers: dict[str, int]
    mounts: dict[str, int]
    groups: int
    descriptors: dict[str, tuple[str, ...]]
    files: tuple[str, ...]
    shared_memory: int
    unreaped: int


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
        self._jobs = jobs_pb2_grpc.JobServiceStub(channel)

    def upload(self, name: str, source: str | Path, seconds: float = 60.0) -> str:
        metadata = {
            "name": name.replace("_", "-"),
            "description": "A test.",
            "max_execution_time": max(1, int(seconds)),
        }
        return self.service.upload_program(source, metadata=metadata)

    def start(self, program_id: str):
        return self.service.run(program_id=program_id, options={"backend_name": "aer_simulator"})

    def events(self, job_id: str) -> list[JobEvent]:
        """The whole log of a job, as a client in any language gets it."""
        request = WatchJobRequest(job_id=job_id)
        responses = self._jobs.WatchJob(request, metadata=self._metadata, timeout=90)
        return [event for response in responses for event in response.events]


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
        return self._traces()

    def check_traces(self, before: Traces) -> None:
        """Nothing is left: what may vanish late, such as a descriptor, gets some seconds."""
        self._settle()
        deadline = time.monotonic() + 20
        while (after := self._traces()) != before:
            assert time.monotonic() < deadline, f"before: {before}\nafter: {after}"
            time.sleep(0.05)

    def await_interim(self, job) -> None:
        """Returns when a job of the attacker has published something."""
        published = threading.Event()
        job.stream_results(lambda *_: published.set())
        assert published.wait(60)

    def server(self, name: str) -> psutil.Process:
        """The process of the supervisor, the gateway or the zygote."""
        return psutil.Process(self._traces().servers[name])

    def _settle(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            zygote = self._find()["zygote"]
            if len(zygote.children(recursive=True)) == WARM_CELLS * PROCESSES_OF_A_CELL:
                return
            time.sleep(0.02)
        raise AssertionError(f"something is left over: {zygote.children(recursive=True)}")

    def _find(self) -> dict[str, psutil.Process]:
        """Every process below ``aerlock up`` that lasts, by what it is."""
        top = psutil.Process(self.runtime.pid)
        found = {"up": top}
        for process in top.children():
            module = next((word for word in process.cmdline() if word.startswith("aerlock_")), "another")
            found["gateway" if module == "aerlock_gateway" else "supervisor"] = process
        (found["bubblewrap"],) = found["supervisor"].children()
        (found["init"],) = found["bubblewrap"].children()
        (found["zygote"],) = found["init"].children()
        return found

    def _traces(self) -> Traces:
        servers = self._find()
        below = {process.pid for process in servers["up"].children(recursive=True)}
        cells = {process.pid for process in servers["zygote"].children(recursive=True)}
        others = below - cells - {process.pid for process in servers.values()}
        mine = servers["supervisor"].uids().real
        return Traces(
            servers={name: process.pid for name, process in servers.items()},
            mounts={name: _lines(f"/proc/{servers[name].pid}/mounts") for name in ("supervisor", "zygote")},
            groups=_cell_groups(servers["supervisor"].pid),
            descriptors={name: _descriptors(servers[name].pid) for name in ("supervisor", "zygote")},
            files=tuple(_files(self.runtime.data_dir / "executor", mine)),
            shared_memory=sum(_lines(f"/proc/sysvipc/{kind}") for kind in ("shm", "msg", "sem")),
            unreaped=len(others),
        )


def _lines(path: str) -> int:
    return len(Path(path).read_text().splitlines())


def _cell_groups(pid: int) -> int:
    """How many control groups there are of cells of an executor."""
    return sum(len(list(one.group.rglob(f"cell-{pid}-*"))) for one in own_hierarchies())


def _descriptors(pid: int) -> tuple[str, ...]:
    """What a process holds, by kind; sockets of gRPC and its event loops come and go with its callers."""
    kinds = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(fd.readlink())
        except OSError:
            continue
        kind = target.split(":")[0] if target.startswith(("pipe:", "socket:")) else target
        if kind not in ("socket", "anon_inode:[eventpoll]", "anon_inode:[eventfd]"):
            kinds.append(kind)
    return tuple(sorted(kinds))


def _files(folder: Path, uid: int) -> list[str]:
    """The spools and pins of an executor, and what its uid has in the places that everyone may write."""
    found = [str(path) for path in folder.glob("spool/*")]
    for place in ("/tmp", "/dev/shm", "/var/tmp"):
        for path in Path(place).iterdir():
            try:
                ours = path.name.startswith("aerlock-")  # of a test, maybe of another one
                if not ours and path.lstat().st_uid == uid == EXECUTOR_UID:
                    found.append(str(path))
            except FileNotFoundError:
                continue
    return sorted(found)
