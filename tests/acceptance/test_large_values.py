"""Values above the size of a message go in and come out by themselves, once, and in bounded memory."""

import contextlib
import re
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from qiskit import QuantumCircuit

from aerlock import RuntimeService, codec

VALUES_PAGE = Path(__file__).resolve().parents[2] / "docs/values.md"
METADATA = {"name": "large", "description": "Takes and gives large values.", "max_execution_time": 100}
OPTIONS = {"backend_name": "aer_simulator"}
ECHO = """
def main(backend, user_messenger, value):
    user_messenger.publish(value)
    return value
"""
REVERSE = """
def main(backend, user_messenger, samples, rounds):
    return samples[::-1]
"""
MIB = 1 << 20
# The processes' own needs besides the blob: a few chunks, buffers of gRPC, pages of the interpreter.
MEMORY_ALLOWANCE = 64 * MIB


@pytest.fixture
def upload(service):
    return lambda source: service.upload_program(source, metadata=METADATA)


def large_circuit(name: str = "large") -> QuantumCircuit:
    circuit = QuantumCircuit(16, 16, name=name)
    for index in range(40_000):
        circuit.rx(index * 1e-4, index % 16)
    circuit.measure(range(16), range(16))
    return circuit


def equal(left: object, right: object) -> bool:
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    if isinstance(left, dict):
        return list(left) == list(right) and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(left[0], dict):
        return len(left) == len(right) and all(map(equal, left, right))
    return type(left) is type(right) and left == right


def servers_of(stack) -> dict[str, psutil.Process]:
    """The gateway's and the executor's own process, without zygote and cells."""
    found = {}
    for process in psutil.Process(stack.pid).children(recursive=True):
        arguments = process.cmdline()
        for name in ("aerlock_gateway", "aerlock_executor"):
            if arguments[1:3] == ["-m", name]:
                found[name] = process
    assert set(found) == {"aerlock_gateway", "aerlock_executor"}
    return found


@contextlib.contextmanager
def bounded_memory(processes: dict[str, psutil.Process]) -> Iterator[None]:
    """Asserts that the peak of each process grows by no more than `MEMORY_ALLOWANCE`."""
    before = {}
    for name, process in processes.items():
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak starts anew
        before[name] = peak_bytes(process)
    yield
    for name, process in processes.items():
        grown = peak_bytes(process) - before[name]
        assert grown < MEMORY_ALLOWANCE, f"{name} grew by {grown >> 20} MiB"


def peak_bytes(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


@pytest.fixture
def transfers(service, monkeypatch) -> dict[str, int]:
    """Counts the calls that write and read blobs; they go on to the server."""
    counts = {"WriteBlob": 0, "ReadBlob": 0}

    def counting(name, method):
        def call(*arguments, **keywords):
            counts[name] += 1
            return method(*arguments, **keywords)

        return call

    blobs = service._connection.blobs
    for name in counts:
        monkeypatch.setattr(blobs, name, counting(name, getattr(blobs, name)))
    return counts


def test_array_of_200_megabytes_goes_in_and_out_in_bounded_memory(stack, service, upload):
    samples = np.random.default_rng(7).random(25_000_000)
    program_id = upload(REVERSE)
    with bounded_memory(servers_of(stack)):
        job = service.run(program_id, OPTIONS, {"samples": samples, "rounds": 3})
        came = job.result(timeout=110)
    assert came.dtype == samples.dtype
    assert np.array_equal(came, samples[::-1])
    assert came.flags.writeable


@pytest.mark.parametrize(
    "value",
    [
        np.arange(300_000, dtype=np.complex128).reshape(3, 100_000),
        {"small": 1, "large": {"text": "é" * MIB, "bytes": bytes(2 * MIB)}, "list": [1.5] * 300_000},
        [{"index": index, "row": np.full(20_000, index)} for index in range(20)],
        {f"key {index}": [index, str(index)] for index in range(50_000)},
        tuple(range(200_000)),
        [2**70] * 100_000,
    ],
    ids=["array", "nested", "arrays", "dict", "tuple", "big integers"],
)
def test_large_value_comes_back_equal_wherever_it_is_read(service, upload, value):
    job = service.run(upload(ECHO), OPTIONS, {"value": value})
    final = job.result(timeout=60)
    (interim,) = job.interim_results()
    retrieved = service.job(job.job_id())
    for came in (final, interim, retrieved.result(timeout=60), retrieved.inputs["value"]):
        assert equal(came, value)


def test_large_circuit_is_sent_once_for_many_jobs(service, upload, transfers):
    program_id = upload(
        "def main(backend, user_messenger, circuits):\n"
        "    return sum(circuit.count_ops()['rx'] for circuit in circuits)\n"
    )
    circuit = large_circuit()
    for circuits in ([circuit, circuit], [circuit], [large_circuit()] * 3):
        job = service.run(program_id, OPTIONS, {"circuits": circuits})
        assert job.result(timeout=60) == 40_000 * len(circuits)
    assert transfers["WriteBlob"] == 1


def test_callback_gets_large_interim_results_in_order(service, upload):
    program_id = upload(
        "import numpy\n"
        "def main(backend, user_messenger):\n"
        "    for index in range(3):\n"
        "        user_messenger.publish(numpy.full(400_000, index))\n"
        "        user_messenger.publish(index)\n"
    )
    came = []
    job = service.run(program_id, OPTIONS, callback=lambda job_id, interim: came.append(interim))
    job.result(timeout=60)
    assert [one if isinstance(one, int) else (len(one), one[0]) for one in came] == [
        (400_000, 0), 0, (400_000, 1), 1, (400_000, 2), 2,
    ]  # fmt: skip


def test_transfer_goes_on_where_a_broken_connection_ended_it(stack, upload):
    program_id = upload(REVERSE)
    samples = np.random.default_rng(3).random(1_000_000)
    with (
        cutting_proxy(stack.tcp_address, after_bytes=3 * MIB, cuts=2) as (address, cut_count),
        RuntimeService(address=address, token=stack.token) as service,
    ):
        job = service.run(program_id, OPTIONS, {"samples": samples, "rounds": 1})
        assert np.array_equal(job.result(timeout=60), samples[::-1])
        assert cut_count() == 2


def test_example_of_the_values_page_runs(service, upload):
    (example,) = re.findall(r"```python\n(inputs = .*?)```", VALUES_PAGE.read_text(), re.DOTALL)
    namespace = {"service": service, "program_id": upload(REVERSE), "numpy": np}
    exec(example, namespace)
    assert len(namespace["job"].result(timeout=110)) == 25_000_000


def test_value_too_large_for_any_blob_is_refused_with_its_path(service, upload):
    too_many = [None] * (codec.bounds.MAX_BLOB_VALUES + 1)
    with pytest.raises(ValueError, match=r"inputs.* more than 1,048,576 values"):
        service.run(upload(ECHO), OPTIONS, {"value": too_many})


@contextlib.contextmanager
def cutting_proxy(target: str, after_bytes: int, cuts: int) -> Iterator[tuple[str, Callable[[], int]]]:
    """Forwards TCP to ``target``, and cuts the first ``cuts`` connections that carry some bytes."""
    host, _, port = target.rpartition(":")
    left = [after_bytes] * cuts
    stop = threading.Event()

    def forward(client: socket.socket) -> None:
        with (
            client,
            socket.create_connection((host, int(port))) as server,
            selectors.DefaultSelector() as ready,
        ):
            others = {client: server, server: client}
            for one in others:
                ready.register(one, selectors.EVENT_READ)
            limit = left.pop() if left else None
            while not stop.is_set():
                for key, _ in ready.select(timeout=0.1):
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        return
                    others[key.fileobj].sendall(data)
                    limit = limit and limit - len(data)
                    if limit is not None and limit <= 0:
                        return

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as threads:

        def serve() -> None:
            with contextlib.suppress(OSError):  # the listener was shut down
                while True:
                    threads.submit(forward, listener.accept()[0])

        threads.submit(serve)
        yield f"127.0.0.1:{listener.getsockname()[1]}", lambda: cuts - len(left)
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
