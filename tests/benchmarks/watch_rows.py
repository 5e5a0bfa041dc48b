"""Many watchers: what all of them get a second, against as many bare streams of single messages."""

import asyncio
from collections.abc import Iterator

import grpc
from baselines import BARE_SERVICE
from report import Row, median, report

from aerlock.local_runtime import LocalRuntime
from aerlock.v1 import jobs_pb2

PUBLISH_MANY = """
def main(backend, user_messenger, count):
    for number in range(count):
        user_messenger.publish(number)
"""
WATCH_JOB = "/aerlock.v1.JobService/WatchJob"
COUNT = 200
# This part again of watchers that take nothing after their first page.
STUCK = 0.1


def watch_rows(client, runtime: LocalRuntime, bare_address: str, watchers: int, rounds: int) -> Iterator[Row]:
    """Replays of one job and of many to ``watchers`` at once, also beside some that stand still."""
    program_id = client.upload("publish-for-many", PUBLISH_MANY)
    jobs = [client.run(program_id, count=COUNT) for _ in range(20)]
    for job_id in jobs:
        for _ in client.watch(job_id):
            pass
    large = client.run(program_id, count=50_000)
    for _ in client.watch(large):
        pass
    measured = asyncio.run(_measure(runtime, bare_address, jobs, large, watchers, rounds))
    for name, rates in measured.items():
        report(name, f"{median(rates):,.0f} events a second")
    bare = median(measured["bare streams"])
    for name in ("watchers of one job", "watchers of 20 jobs"):
        yield Row(
            f"events to {watchers:,} {name} against bare streams",
            median(measured[name]) / bare,
            "higher",
            3.0,
        )
    beside = median(measured["watchers of one job, beside slow ones"])
    yield Row(
        f"events to {watchers:,} watchers beside slow ones against without",
        beside / median(measured["watchers of one job"]),
        "higher",
        0.8,
    )


async def _measure(
    runtime: LocalRuntime, bare_address: str, jobs: list[str], large: str, watchers: int, rounds: int
) -> dict[str, list[float]]:
    metadata = (("authorization", f"Bearer {runtime.token}"),)
    rates: dict[str, list[float]] = {}
    async with (
        grpc.aio.insecure_channel(runtime.address) as channel,
        grpc.aio.insecure_channel(bare_address) as bare_channel,
    ):
        watch = channel.unary_stream(WATCH_JOB)
        bare = bare_channel.unary_stream(f"/{BARE_SERVICE}/Stream")
        one = [_request(jobs[0])] * watchers
        many = [_request(jobs[number % len(jobs)]) for number in range(watchers)]
        for _ in range(rounds):
            calls = [bare(str(COUNT // 4).encode()) for _ in range(watchers)]
            rates.setdefault("bare streams", []).append(await _rate(calls, COUNT // 4))
            for name, requests in (("watchers of one job", one), ("watchers of 20 jobs", many)):
                calls = [watch(request, metadata=metadata) for request in requests]
                rates.setdefault(name, []).append(await _rate(calls, COUNT))
            stuck = [watch(_request(large), metadata=metadata) for _ in range(round(watchers * STUCK))]
            await asyncio.gather(*(call.read() for call in stuck))
            calls = [watch(request, metadata=metadata) for request in one]
            rates.setdefault("watchers of one job, beside slow ones", []).append(await _rate(calls, COUNT))
            for call in stuck:
                call.cancel()
    return rates


def _request(job_id: str) -> bytes:
    kinds = [jobs_pb2.EVENT_KIND_INTERIM_RESULT]
    return jobs_pb2.WatchJobRequest(job_id=job_id, kinds=kinds).SerializeToString()


async def _rate(calls: list[grpc.aio.UnaryStreamCall], count: int) -> float:
    """Reads every stream to its end and returns how many events came a second."""

    async def read(call) -> None:
        async for _ in call:
            pass

    loop = asyncio.get_running_loop()
    begin = loop.time()
    await asyncio.gather(*map(read, calls))
    return len(calls) * count / (loop.time() - begin)
