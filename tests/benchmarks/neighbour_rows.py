"""What a job that does its worst takes from one beside it: a canary's time, against beside an idle job."""

import time
from collections.abc import Iterator
from typing import Any

from report import Row, median, ms, report

from aerlock.v1 import jobs_pb2

CANARY = """
from qiskit import QuantumCircuit, transpile

def main(backend, user_messenger):
    circuit = QuantumCircuit(8)
    circuit.h(range(8))
    circuit.measure_all()
    for _ in range(3):
        result = backend.run(transpile(circuit, backend), shots=500).result()
        user_messenger.publish(len(result.get_counts()))
"""
IDLE = "time.sleep(600)"
WORST = {
    "spins in 64 threads": """
def spin():
    block = bytes(1 << 20)
    while True:
        hashlib.sha256(block).digest()
for _ in range(63):
    threading.Thread(target=spin).start()
spin()
""",
    "floods its output": """
def flood(fd):
    data = bytes(1 << 16)
    while True:
        os.write(fd, data)
threading.Thread(target=flood, args=(1,)).start()
flood(2)
""",
    "floods its results": """
frame = bytes.fromhex("0400000012021807") * 4096
while True:
    rest = memoryview(frame)
    while rest:
        rest = rest[os.write(4, rest):]
""",
    "fills memory and /tmp": """
block = bytes(1 << 22)
while True:
    held = [bytearray(block) for _ in range(200)]
    with open("/tmp/full", "wb", buffering=0) as file:
        for _ in range(50):
            file.write(block)
    os.unlink("/tmp/full")
    del held
""",
    "starts threads": """
while True:
    threads = [threading.Thread(target=int) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
""",
}
_HEAD = "import hashlib, os, threading, time\n\ndef main(backend, user_messenger):\n"
_STARTED = "user_messenger.publish('started')\n"
JOBS = 2
"""The canary and the one beside it: half of the machine is each one's share."""


def neighbour_rows(client: Any, rounds: int) -> Iterator[Row]:
    """Runs canaries beside an idle job and beside each of the worst, in turn."""
    canary = client.upload("canary", CANARY)
    idle = client.upload("idle", _program(IDLE))
    seconds(client, canary)
    for name, body in WORST.items():
        worst = client.upload("worst", _program(body))
        beside_idle, beside_worst = [], []
        for _ in range(rounds):
            beside_idle += beside(client, idle, canary)
            beside_worst += beside(client, worst, canary)
        report(name, f"a canary takes {ms(beside_worst)}, beside an idle job {ms(beside_idle)}")
        ratio = median(beside_worst) / median(beside_idle)
        yield Row(f"canary beside a job that {name}, against an idle one", ratio, "lower", JOBS)


def beside(client: Any, program_id: str, canary: str) -> list[float]:
    """How long canaries take while a job of a program runs, which is cancelled then."""
    job_id = client.run(program_id)
    for response in client.watch(job_id):
        if any(event.HasField("interim_result") for event in response.events):
            break
    times = []
    for _ in range(3):
        time.sleep(0.5)  # what refills the pool between two jobs
        times.append(seconds(client, canary))
    client.jobs.CancelJob(jobs_pb2.CancelJobRequest(job_id=job_id), metadata=client.metadata)
    for _ in client.watch(job_id):
        pass
    return times


def seconds(client: Any, program_id: str) -> float:
    """From RunProgram to the end of the job."""
    begin = time.perf_counter()
    for response in client.watch(client.run(program_id)):
        last = response.events[-1]
    assert last.state_change.state == jobs_pb2.JOB_STATE_COMPLETED, last
    return time.perf_counter() - begin


def _program(body: str) -> str:
    lines = (_STARTED + body.strip("\n") + "\n").splitlines(keepends=True)
    return _HEAD + "".join(f"    {line}" for line in lines)
