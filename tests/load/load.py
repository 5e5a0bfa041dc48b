"""``make load``: many jobs and watchers at once, of which some flood and some are slow.

Prints jobs, watchers, events per second, how late events come, and the peak memory of
the gateway. Ends with 1 where a watcher lost an event, got one twice or out of order,
or where memory grows from round to round. The variables LOAD_JOBS, LOAD_WATCHERS,
LOAD_EVENTS, LOAD_LOG_MB and LOAD_ROUNDS set the size.
"""

import asyncio
import os
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self

import grpc
from google.protobuf.duration_pb2 import Duration

from aerlock.local_runtime import LocalRuntime, running_locally
from aerlock.v1 import jobs_pb2, jobs_pb2_grpc, programs_pb2, programs_pb2_grpc, values_pb2

STEADY = """
import time

def main(backend, user_messenger, count):
    for number in range(count):
        user_messenger.publish([number, time.time_ns()])
        time.sleep(0.02)
"""
FLOOD = """
def main(backend, user_messenger, count):
    for number in range(count):
        user_messenger.publish([number])
"""
LOUD = """
def main(backend, user_messenger, count):
    for number in range(count * 16):
        print("x" * 65535)
"""
PUBLISHED_BY_STEADY = 100
# Of the watchers, these parts read slowly, or not at all until the others have ended.
SLOW, STUCK = 0.1, 0.1
SLOW_SECONDS = 0.2
SAMPLE_SECONDS = 0.1
MEBIBYTE = 1 << 20
TIME_LIMIT_SECONDS = 600


@dataclass(frozen=True)
class Sizes:
    """How much there is of everything, in each round."""

    jobs: int = 20
    watchers: int = 200
    events: int = 40_000
    log_mb: int = 100
    rounds: int = 4

    @classmethod
    def from_environment(cls) -> Self:
        names = [one.name for one in fields(cls)]
        return cls(
            **{n: int(os.environ[f"LOAD_{n.upper()}"]) for n in names if f"LOAD_{n.upper()}" in os.environ}
        )


class LostError(Exception):
    """A watcher did not get each event exactly once."""


@dataclass
class Tally:
    """What was seen, over all watchers and rounds."""

    jobs: int = 0
    watchers: int = 0
    events: int = 0
    seconds: float = 0.0
    late: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    @property
    def is_flat(self) -> bool:
        """Whether the last round took about as much memory as the first."""
        return self.peaks[-1] <= 1.3 * self.peaks[0] + 32 * MEBIBYTE

    def __str__(self) -> str:
        return (
            f"{self.jobs:,} jobs, {self.watchers:,} watchers, {self.events:,} events delivered,"
            f" {self.events / self.seconds:,.0f} a second\n"
            f"delivery of steady jobs: {_percentiles(self.late)}\n"
            f"calls beside them: {_percentiles(self.calls)}\n"
            f"peak memory of the gateway, round by round: "
            + ", ".join(f"{peak / MEBIBYTE:.0f} MiB" for peak in self.peaks)
        )


def _percentiles(seconds: list[float]) -> str:
    quantiles = statistics.quantiles(seconds, n=100)
    return f"p50 {quantiles[49] * 1000:.0f} ms, p99 {quantiles[98] * 1000:.0f} ms of {len(seconds):,}"


class Load:
    """The rounds, against one gateway."""

    def __init__(self, runtime: LocalRuntime, channel: grpc.aio.Channel, sizes: Sizes) -> None:
        self.tally = Tally()
        self._sizes = sizes
        self._metadata = (("authorization", f"Bearer {runtime.token}"),)
        self._jobs = jobs_pb2_grpc.JobServiceStub(channel)
        self._programs = programs_pb2_grpc.ProgramServiceStub(channel)
        self._gateway = gateway_pid(runtime)

    async def run(self) -> None:
        """Runs every round; raises LostError."""
        programs = [await self._upload(source) for source in (STEADY, FLOOD, LOUD)]
        for _ in range(self._sizes.rounds):
            await self._round(*programs)

    async def _round(self, steady: str, flood: str, loud: str) -> None:
        begin = time.monotonic()
        async with self._memory_sampled(), self._calls_timed():
            jobs = [await self._start(flood, self._sizes.events), await self._start(loud, self._sizes.log_mb)]
            jobs += [await self._start(steady, PUBLISHED_BY_STEADY) for _ in range(self._sizes.jobs - 2)]
            done = asyncio.Event()
            last = await self._cursor()
            async with asyncio.TaskGroup() as group:
                watching = [
                    group.create_task(self._watch(jobs[number % len(jobs)], number, done))
                    for number in range(self._sizes.watchers)
                ]
                prompt = [task for number, task in enumerate(watching) if not self._is_stuck(number)]
                await asyncio.wait(prompt)
                done.set()
            await self._check_cursor(last)
        self.tally.jobs += len(jobs)
        self.tally.watchers += len(watching)
        self.tally.seconds += time.monotonic() - begin

    def _is_stuck(self, number: int) -> bool:
        return number % round(1 / STUCK) == 0

    def _is_slow(self, number: int) -> bool:
        return number % round(1 / SLOW) == 1

    async def _watch(self, job: str, number: int, done: asyncio.Event) -> None:
        request = jobs_pb2.WatchJobRequest(job_id=job)
        sequence, published = 0, 0
        async for response in self._jobs.WatchJob(request, metadata=self._metadata):
            now = time.time_ns()
            for event in response.events:
                sequence = _next(job, sequence, event.sequence)
                if event.HasField("interim_result"):
                    items = event.interim_result.list_value.values
                    published = _next(job, published, items[0].int_value + 1)
                    if len(items) > 1 and not (self._is_slow(number) or self._is_stuck(number)):
                        self.tally.late.append((now - items[1].int_value) / 1e9)
            self.tally.events += len(response.events)
            if self._is_stuck(number):
                await done.wait()
            elif self._is_slow(number):
                await asyncio.sleep(SLOW_SECONDS)
        if event.state_change.state != jobs_pb2.JOB_STATE_COMPLETED:
            raise LostError(f"job {job} ended as {event.state_change}")

    async def _cursor(self) -> int:
        request = jobs_pb2.WatchJobsRequest(after_cursor=-1)
        async for response in self._jobs.WatchJobs(request, metadata=self._metadata):
            return response.cursor
        raise LostError("the stream of all jobs ended")

    async def _check_cursor(self, cursor: int) -> None:
        """Resumes the stream of all jobs again and again, and compares it with what must be there."""
        sequences: dict[str, int] = {}
        end = await self._cursor()
        while cursor < end:
            request = jobs_pb2.WatchJobsRequest(after_cursor=cursor)
            call = self._jobs.WatchJobs(request, metadata=self._metadata)
            response = await call.read()
            call.cancel()
            cursor = response.cursor
            for entry in response.entries:
                for event in entry.events:
                    before = sequences.get(entry.job_id, event.sequence - 1)
                    sequences[entry.job_id] = _next(entry.job_id, before, event.sequence)

    async def _upload(self, source: str) -> str:
        program = programs_pb2.Program(
            name="load",
            description="A load.",
            max_execution_time=Duration(seconds=TIME_LIMIT_SECONDS),
            source=programs_pb2.ProgramSource(files={"program.py": source.encode()}),
        )
        request = programs_pb2.UploadProgramRequest(program=program)
        answer = await self._programs.UploadProgram(request, metadata=self._metadata)
        return answer.program.program_id

    async def _start(self, program_id: str, count: int) -> str:
        entry = values_pb2.MapEntry(key="count", value=values_pb2.Value(int_value=count))
        request = jobs_pb2.RunProgramRequest(
            program_id=program_id,
            backend_name="aer_simulator",
            inputs=values_pb2.MapValue(entries=[entry]),
            request_id=uuid.uuid4().hex,
        )
        return (await self._jobs.RunProgram(request, metadata=self._metadata)).job.job_id

    @asynccontextmanager
    async def _calls_timed(self) -> AsyncIterator[None]:
        """Times a small call again and again, which must not wait for the streams."""
        async with _beside(self._time_calls()):
            yield

    async def _time_calls(self) -> None:
        request = jobs_pb2.ListJobsRequest(page_size=1)
        while True:
            begin = time.monotonic()
            await self._jobs.ListJobs(request, metadata=self._metadata)
            self.tally.calls.append(time.monotonic() - begin)
            await asyncio.sleep(SAMPLE_SECONDS)

    @asynccontextmanager
    async def _memory_sampled(self) -> AsyncIterator[None]:
        self.tally.peaks.append(0)
        async with _beside(self._sample_memory()):
            yield

    async def _sample_memory(self) -> None:
        while True:
            self.tally.peaks[-1] = max(self.tally.peaks[-1], resident_bytes(self._gateway))
            await asyncio.sleep(SAMPLE_SECONDS)


@asynccontextmanager
async def _beside(work) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _next(job: str, before: int, number: int) -> int:
    """Returns the number that follows; raises LostError for any other."""
    if number != before + 1:
        raise LostError(f"job {job}: {number} came after {before}")
    return number


def gateway_pid(runtime: LocalRuntime) -> int:
    """Returns the process of the runtime's gateway."""
    folder = str(runtime.data_dir).encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            program, *words = path.read_bytes().split(b"\0")
            if b"python" in program and b"aerlock_gateway" in words and any(folder in word for word in words):
                return int(path.parent.name)
    raise LookupError("no gateway runs")


def resident_bytes(pid: int) -> int:
    """Returns the resident set of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def load(sizes: Sizes) -> Tally:
    """Runs the load on servers of its own; raises LostError."""
    settings = {
        "AERLOCK_EXECUTOR_SLOTS": "4",
        "AERLOCK_GATEWAY_MAX_STREAMS": str(sizes.watchers + 10),
        "AERLOCK_GATEWAY_MAX_STREAMS_PER_ACCOUNT": str(sizes.watchers + 10),
    }
    with running_locally(settings) as runtime:
        async with grpc.aio.insecure_channel(runtime.address) as channel:
            one = Load(runtime, channel, sizes)
            await one.run()
            return one.tally


def main() -> None:
    """Runs the load that the environment asks for and says how it went."""
    try:
        tally = asyncio.run(load(Sizes.from_environment()))
    except* LostError as lost:
        sys.exit("\n".join(str(error) for error in lost.exceptions))
    print(tally)
    if not tally.is_flat:
        sys.exit("the memory of the gateway grows")
    print("nothing was lost, and memory is flat")


if __name__ == "__main__":
    main()
