"""``make bench``: ratios against baselines measured side by side in one run, never a time by itself.

Prints a table and writes build/bench.json, a list of
``{"name", "ratio", "better", "target", "ok"}``. It ends with 0 whenever it could measure.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import grpc
from baselines import BARE_SERVICE, flush_milliseconds
from catalog_rows import catalog_rows
from google.protobuf.duration_pb2 import Duration
from job_rows import job_rows
from neighbour_rows import neighbour_rows
from report import Row, median, ms, report
from rich.console import Console
from rich.table import Table
from value_rows import value_rows
from watch_rows import watch_rows

from aerlock.cli.unprivileged import EXECUTOR_UID, command_as
from aerlock.local_runtime import LocalRuntime, running_locally
from aerlock.v1 import jobs_pb2, jobs_pb2_grpc, programs_pb2, programs_pb2_grpc, values_pb2

ROOT = Path(__file__).resolve().parents[2]
BASELINES = str(Path(__file__).with_name("baselines.py"))
HELLO_WORLD = (ROOT / "examples/hello_world/program.py").read_text()
PUBLISH_ONCE = "def main(backend, user_messenger):\n    user_messenger.publish(1)\n"
RETURN_AT_ONCE = "def main(backend, user_messenger):\n    return None\n"
PUBLISH_MANY = """
def main(backend, user_messenger, count):
    publish = user_messenger.publish
    for number in range(count):
        publish(number)
"""
# Commits between RunProgram and the first interim event: the job with its start, and the event.
SYNCS = 2
SLOTS = 2
BARE_SOCKET = "bare.sock"


class Client:
    """Generated stubs over one channel: what the measurements go through."""

    def __init__(self, runtime: LocalRuntime) -> None:
        self.channel = grpc.insecure_channel(runtime.address)
        self.metadata = (("authorization", f"Bearer {runtime.token}"),)
        self.jobs = jobs_pb2_grpc.JobServiceStub(self.channel)
        self.programs = programs_pb2_grpc.ProgramServiceStub(self.channel)

    def upload(self, name: str, source: str) -> str:
        program = programs_pb2.Program(
            name=name,
            description="A benchmark.",
            max_execution_time=Duration(seconds=300),
            source=programs_pb2.ProgramSource(files={"program.py": source.encode()}),
        )
        request = programs_pb2.UploadProgramRequest(program=program)
        return self.programs.UploadProgram(request, metadata=self.metadata).program.program_id

    def run(self, program_id: str, **inputs: int) -> str:
        entries = [values_pb2.MapEntry(key=k, value=values_pb2.Value(int_value=v)) for k, v in inputs.items()]
        request = jobs_pb2.RunProgramRequest(
            program_id=program_id,
            backend_name="aer_simulator",
            inputs=values_pb2.MapValue(entries=entries),
            request_id=uuid.uuid4().hex,
        )
        return self.jobs.RunProgram(request, metadata=self.metadata).job.job_id

    def watch(self, job_id: str) -> Iterator[jobs_pb2.WatchJobResponse]:
        return self.jobs.WatchJob(jobs_pb2.WatchJobRequest(job_id=job_id), metadata=self.metadata)

    def seconds_to_first_interim(self, program_id: str, **inputs: int) -> float:
        begin = time.perf_counter()
        job_id = self.run(program_id, **inputs)
        seconds = 0.0
        for response in self.watch(job_id):
            if not seconds and any(event.HasField("interim_result") for event in response.events):
                seconds = time.perf_counter() - begin
        return seconds


def seconds_cold(source: str, inputs: dict[str, int]) -> float:
    """From the start of a fresh process to the first line of the program's first interim result."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(source)
        file.flush()
        begin = time.perf_counter()
        command = [sys.executable, BASELINES, "cold", file.name, repr(inputs)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            return time.perf_counter() - begin


@contextlib.contextmanager
def warm_process(source: str, inputs: dict[str, int]) -> Iterator[Callable[[], float]]:
    """Yields what runs a program again in one process, and returns the seconds to its interim result."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(source)
        file.flush()
        command = [sys.executable, BASELINES, "warm", file.name, repr(inputs)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()

            def run() -> float:
                process.stdin.write("\n")
                process.stdin.flush()
                return float(process.stdout.readline())

            yield run


def start_rows(runtime: LocalRuntime, label: str, targets: dict[str, float], rounds: int) -> Iterator[Row]:
    """RunProgram to the first interim event, against a cold process, interleaved."""
    client = Client(runtime)
    for name, source, inputs in (
        ("publish-once", PUBLISH_ONCE, {}),
        ("hello-world", HELLO_WORLD, {"iterations": 1}),
    ):
        program_id = client.upload(name, source)
        client.seconds_to_first_interim(program_id, **inputs)
        cold, warm, ours = [], [], []
        with warm_process(source, inputs) as run_warm:
            for _ in range(rounds):
                cold.append(seconds_cold(source, inputs))
                for _ in range(3):
                    time.sleep(0.5)  # what refills the pool between two jobs of one person
                    ours.append(client.seconds_to_first_interim(program_id, **inputs))
                    warm.append(run_warm())
        report(f"{name}, {label}", f"{ms(ours)} against {ms(cold)} of a cold process")
        yield Row(
            f"start of {name}, {label}, against a cold process",
            median(cold) / median(ours),
            "higher",
            targets[name],
        )
        if inputs:
            # What is left where nothing is new: the circuit itself, which no pool makes faster.
            report(f"{name}, {label}", f"{ms(warm)} in a process that has run it before")
            yield Row(
                f"start of {name}, {label}, against a process that has run it before",
                median(ours) / median(warm),
                "lower",
                2,
            )


def round_trip_row(runtime: LocalRuntime, folder: Path, rounds: int) -> Row:
    """RunProgram to the first interim event, against two bare round trips and the same syncs, interleaved."""
    client = Client(runtime)
    program_id = client.upload("publish-once", PUBLISH_ONCE)
    with bare_server(folder) as channel:
        echo = channel.unary_unary(f"/{BARE_SERVICE}/Echo")
        bare, ours = [], []
        for _ in range(rounds):
            begin = time.perf_counter()
            echo(bytes([SYNCS - 1]))
            echo(bytes([1]))
            bare.append(time.perf_counter() - begin)
            time.sleep(0.5)
            ours.append(client.seconds_to_first_interim(program_id))
    report("publish-once", f"{ms(ours)} against {ms(bare)} of two bare round trips and {SYNCS} syncs")
    return Row(
        "publish-once from the pool against two bare round trips", median(ours) / median(bare), "lower", 5.0
    )


def jobs_row(runtime: LocalRuntime, count: int) -> Row:
    """Jobs a second of a trivial program, against the bare loop that forks and isolates."""
    client = Client(runtime)
    program_id = client.upload("return-at-once", RETURN_AT_ONCE)
    ours, bare = [], []
    for _ in range(3):
        begin = time.perf_counter()
        job_ids = [client.run(program_id) for _ in range(count)]
        for job_id in job_ids:
            for _ in client.watch(job_id):
                pass
        ours.append(count / (time.perf_counter() - begin))
        command = command_as(
            EXECUTOR_UID, [sys.executable, BASELINES, "bare-cells", str(count), str(SLOTS)], []
        )
        bare.append(float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout))
    report("trivial jobs", f"{median(ours):.1f} a second against {median(bare):.1f} bare cells")
    return Row("jobs a second against bare cells", median(ours) / median(bare), "higher", 0.5)


def events_row(runtime: LocalRuntime, folder: Path, count: int) -> Row:
    """Durable events a second to one watcher, against a bare stream of single messages, interleaved."""
    client = Client(runtime)
    program_id = client.upload("publish-many", PUBLISH_MANY)
    ours, bare = [], []
    with bare_server(folder) as channel:
        stream = channel.unary_stream(f"/{BARE_SERVICE}/Stream")
        for _ in range(3):
            begin = time.perf_counter()
            assert sum(1 for _ in stream(str(count // 4).encode())) == count // 4
            bare.append(count // 4 / (time.perf_counter() - begin))
            ours.append(events_per_second(client, program_id, count))
    report("events", f"{median(ours):,.0f} a second against {median(bare):,.0f} bare messages")
    return Row("durable events a second against a bare stream", median(ours) / median(bare), "higher", 3.0)


def events_per_second(client: Client, program_id: str, count: int) -> float:
    """From the first interim event to the last, at a watcher; all of them must come."""
    job_id = client.run(program_id, count=count)
    begin, seen = 0.0, 0
    for response in client.watch(job_id):
        interim = sum(1 for event in response.events if event.HasField("interim_result"))
        if interim and not seen:
            begin = time.perf_counter()
            first = interim
        seen += interim
        if interim:
            end = time.perf_counter()
    assert seen == count, f"{seen} of {count} events came"
    return (count - first) / (end - begin)


@contextlib.contextmanager
def bare_server(folder: Path) -> Iterator[grpc.Channel]:
    """Runs the bare server and yields a channel to it."""
    socket = folder / BARE_SOCKET
    command = [sys.executable, BASELINES, "bare-server", str(socket), str(folder / "bare.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        with grpc.insecure_channel(f"unix:{socket}") as channel:
            yield channel
        process.stdin.close()


def measure(quick: bool) -> Iterator[Row]:
    """Yields every row; ``quick`` measures less, to see that it works."""
    rounds = 2 if quick else 7
    yield from value_rows(rounds)
    yield from catalog_rows(10_000 if quick else 100_000, rounds * 4)
    yield from job_rows(20_000 if quick else 1_000_000, rounds * 4)
    settings = {
        "AERLOCK_EXECUTOR_SLOTS": str(SLOTS),
        "AERLOCK_EXECUTOR_WARM_CELLS": "2",
        "AERLOCK_GATEWAY_MAX_STREAMS_PER_ACCOUNT": "2000",
    }
    with tempfile.TemporaryDirectory(prefix="aerlock-bench-") as name:
        folder = Path(name)
        report(
            "disk", f"a flush takes {flush_milliseconds(folder / 'flush'):.3f} ms, on {os.cpu_count()} cores"
        )
        with running_locally(settings) as runtime:
            yield from start_rows(runtime, "from the pool", {"publish-once": 100, "hello-world": 60}, rounds)
            yield round_trip_row(runtime, folder, rounds * 4)
            yield jobs_row(runtime, 10 if quick else 60)
            yield events_row(runtime, folder, 20_000 if quick else 200_000)
            with bare_server(folder):
                address = f"unix:{folder / BARE_SOCKET}"
                yield from watch_rows(Client(runtime), runtime, address, 100 if quick else 1000, 3)
        with running_locally({**settings, "AERLOCK_EXECUTOR_CANCEL_GRACE": "0"}) as runtime:
            yield from neighbour_rows(Client(runtime), 1 if quick else 4)
        with running_locally({**settings, "AERLOCK_EXECUTOR_WARM_CELLS": "0"}) as runtime:
            yield from start_rows(runtime, "without a pool", {"publish-once": 25, "hello-world": 20}, rounds)


def main() -> None:
    """Measures, prints the table and writes build/bench.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little")
    parser.add_argument("--output", type=Path, default=ROOT / "build/bench.json")
    arguments = parser.parse_args()
    rows = list(measure(arguments.quick))
    table = Table("measure", "ratio", "better", "target", "reached")
    for row in rows:
        table.add_row(row.name, f"{row.ratio:.2f}", row.better, f"{row.target:g}", "yes" if row.ok else "no")
    Console(width=110).print(table)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps([{**asdict(row), "ok": row.ok} for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
