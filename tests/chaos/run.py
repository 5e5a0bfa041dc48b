"""``make chaos``: kills whatever can be killed while jobs run, then asks whether anything was lost.

Prints kills survived, jobs, events checked and losses, and fails on any loss.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from chaos import checks
from chaos.clients import AccountWatcher, Client, JobWatcher
from chaos.monkey import Monkey
from chaos.plan import Plan
from chaos.servers import Servers, adopt_orphans, keep_mounts_private

from aerlock.v1 import jobs_pb2
from aerlock_executor.v1 import executor_pb2, executor_pb2_grpc

PROGRAM = Path(__file__).with_name("program.py").read_bytes()
ACCOUNTS = ["alice", "bob"]
# Jobs that have not ended yet, at most.
MOST_ALIVE = 10
# After the last disturbance everything has to come to its end in that time.
SETTLE_SECONDS = 120.0
LEFT_SECONDS = 30.0


class Run:
    """One run of the test: jobs are submitted and watched while the monkey disturbs."""

    def __init__(self, servers: Servers, seed: int, mean_seconds: float) -> None:
        self.findings: list[str] = []
        self.events_checked = 0
        self.plans: dict[str, Plan] = {}
        """The jobs that were accepted, by their ids."""
        self.ends: Counter[str] = Counter()
        self._servers = servers
        self._choose = random.Random(seed)
        self.monkey = Monkey(servers, random.Random(seed + 1), mean_seconds)
        self._clients: dict[str, Client] = {}
        self._watchers: list[JobWatcher] = []
        self._lives: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> None:
        await self._servers.start()
        await self._prepare()
        accounts = {name: AccountWatcher(client, self._choose) for name, client in self._clients.items()}
        watching = [asyncio.create_task(watcher.run()) for watcher in accounts.values()]
        try:
            async with asyncio.timeout(seconds + SETTLE_SECONDS):
                await self._disturbed(seconds)
                await asyncio.gather(*self._lives)
                await self._until_seen(accounts)
        except TimeoutError:
            self.findings += self._unfinished()
        except (grpc.aio.AioRpcError, AssertionError) as error:
            self.findings.append(f"a client was told what no client may be told: {error!r}")
        for task in (*watching, *self._lives):
            task.cancel()
        await asyncio.gather(*watching, *self._lives, return_exceptions=True)
        if not self.findings:
            await self._check(accounts)
        for client in self._clients.values():
            await client.close()

    async def _prepare(self) -> None:
        address = f"unix:{self._servers.layout.gateway_socket}"
        admin = Client(address, self._servers.bootstrap())
        self._programs = {}
        for name in ACCOUNTS:
            self._clients[name] = client = Client(address, await admin.make_account(name))
            self._programs[name] = await client.upload(PROGRAM)
        await admin.close()

    async def _disturbed(self, seconds: float) -> None:
        """Submits jobs for a while, with the monkey about."""
        end = time.monotonic() + seconds
        disturbing = asyncio.create_task(self.monkey.run())
        number = 0
        try:
            while time.monotonic() < end and not disturbing.done():
                if len(self._lives) < MOST_ALIVE:
                    number += 1
                    self._spawn(self._live(Plan.draw(self._choose, number, ACCOUNTS)))
                self._forget_ended()
                await asyncio.sleep(0.2)
        finally:
            disturbing.cancel()
            with suppress(asyncio.CancelledError):
                await disturbing

    def _forget_ended(self) -> None:
        """Raises what went wrong in one of the jobs' lives."""
        for task in [task for task in self._lives if task.done()]:
            self._lives.discard(task)
            task.result()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._lives.add(asyncio.create_task(work))

    async def _live(self, plan: Plan) -> None:
        """One job from its submission to the last of its watchers."""
        client = self._clients[plan.account]
        ids = await client.run(self._programs[plan.account], plan)
        assert len(ids) == 1, f"one request_id made the jobs {ids}"
        (job_id,) = ids
        self.plans[job_id] = plan
        choose = random.Random(plan.number)
        watchers = [
            JobWatcher(client, job_id, choose),
            JobWatcher(client, job_id, choose, kinds=(jobs_pb2.EVENT_KIND_INTERIM_RESULT,)),
            JobWatcher(client, job_id, choose, slow=True),
        ]
        self._watchers += watchers
        following = [watcher.run() for watcher in watchers]
        await asyncio.gather(*following, self._cancel(client, job_id, plan))

    async def _cancel(self, client: Client, job_id: str, plan: Plan) -> None:
        if plan.cancel_after is not None:
            await asyncio.sleep(plan.cancel_after)
            await client.cancel(job_id)

    async def _until_seen(self, accounts: dict[str, AccountWatcher]) -> None:
        """Waits until the watchers of accounts have the end of every job."""
        for name, watcher in accounts.items():
            await watcher.until_ended(id_ for id_, plan in self.plans.items() if plan.account == name)

    def _unfinished(self) -> Iterator[str]:
        heard = [watcher for watcher in self._watchers if watcher.events]
        ended = {watcher.job_id for watcher in heard if checks.is_terminal(watcher.events[-1])}
        waiting = [f"{job_id}: {plan}" for job_id, plan in self.plans.items() if job_id not in ended]
        yield f"{SETTLE_SECONDS:g} s after the last disturbance not everything has ended: {waiting}"

    async def _check(self, accounts: dict[str, AccountWatcher]) -> None:
        """Compares every log with its plan, and every watcher with the log."""
        for name, client in self._clients.items():
            listed = await client.all_jobs()
            tags = Counter(tag for job in listed for tag in job.tags)
            self.findings += [f"{count} jobs have the tag {tag}" for tag, count in tags.items() if count > 1]
            ids = {job_id for job_id, plan in self.plans.items() if plan.account == name}
            if ids != {job.job_id for job in listed}:
                self.findings.append(f"{name} has other jobs than were accepted")
            for job in listed:
                await self._check_job(client, job, accounts[name])

    async def _check_job(self, client: Client, job: jobs_pb2.Job, account: AccountWatcher) -> None:
        late = JobWatcher(client, job.job_id, self._choose)
        await late.run()
        log = late.events
        end = log[-1].state_change
        reason = jobs_pb2.FailureReason.Name(end.failure.reason).removeprefix("FAILURE_REASON_")
        state = jobs_pb2.JobState.Name(end.state).removeprefix("JOB_STATE_")
        self.ends[state if state != "FAILED" else f"FAILED {reason}"] += 1
        plan = self.plans[job.job_id]
        self.findings += checks.check_log(plan, job, log)
        who = f"the account's watcher of {job.job_id}"
        self.findings += checks.check_watcher(who, (), account.events[job.job_id], log)
        self.events_checked += 2 * len(log)
        for watcher in self._watchers:
            if watcher.job_id == job.job_id:
                who = f"a watcher of {job.job_id} for {watcher.kinds or 'everything'}"
                self.findings += checks.check_watcher(who, watcher.kinds, watcher.events, log)
                self.events_checked += len(watcher.events)
        if state == "COMPLETED" and plan.final_result.HasField("blob_value"):
            content = await client.read_blob(plan.final_result.blob_value)
            self.findings += checks.check_blob(plan.final_result.blob_value, content)


async def _tasks_left(servers: Servers) -> list[str]:
    """The tasks of which the executor has a spool, once the gateway had time to acknowledge them all."""
    async with grpc.aio.insecure_channel(f"unix:{servers.layout.executor_socket}") as channel:
        stub = executor_pb2_grpc.ExecutorServiceStub(channel)
        end = time.monotonic() + LEFT_SECONDS
        while True:
            answer = await stub.ListTasks(
                executor_pb2.ListTasksRequest(), wait_for_ready=True, timeout=LEFT_SECONDS
            )
            if not answer.tasks or time.monotonic() > end:
                return [task.task_id for task in answer.tasks]
            await asyncio.sleep(0.2)


async def check_what_is_left(servers: Servers) -> list[str]:
    """Stops both servers; returns what they leave behind."""
    tasks = await _tasks_left(servers)
    findings = [f"the executor still has the tasks {tasks}"] if tasks else []
    for server in (servers.gateway, servers.executor):
        if status := await server.stop():
            findings.append(f"the {server.name} ended with status {status}")
    findings += checks.check_executor_files(servers.layout.executor_data)
    findings += checks.check_gateway_files(servers.layout.gateway_data)
    findings += checks.check_processes()
    return findings


async def run(folder: Path, seconds: float, seed: int, mean_seconds: float) -> int:
    """Runs the test on ``folder`` and prints what came of it; returns the exit status."""
    servers = Servers(folder, keep_mounts_private())
    run = Run(servers, seed, mean_seconds)
    await run.run(seconds)
    findings = run.findings + await check_what_is_left(servers)
    print(f"chaos of {seconds:g} s with seed {seed}")
    _report(run, findings)
    if findings:
        kept = Path(tempfile.mkdtemp(prefix="aerlock-chaos-"))
        for server in (servers.gateway, servers.executor):
            (kept / f"{server.name}.log").write_text(server.log)
        print(f"the logs of the servers are in {kept}")
    return 1 if findings else 0


def _report(run: Run, findings: list[str]) -> None:
    counts = run.monkey.counts
    for what, count in sorted(counts.items()):
        print(f"  {what:22}{count:6}")
    print(f"kills survived: {sum(count for what, count in counts.items() if what.startswith('kill'))}")
    print(f"jobs: {len(run.plans)} ({', '.join(f'{end} {count}' for end, count in run.ends.most_common())})")
    print(f"events checked: {run.events_checked}")
    print(f"losses: {len(findings)}")
    for finding in findings[:50]:
        print(f"  {finding[:1000]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long to disturb")
    parser.add_argument("--seed", type=int, default=0, help="what to do, though not when it takes effect")
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds between disturbances")
    arguments = parser.parse_args()
    adopt_orphans()
    # Short enough for a unix socket.
    with tempfile.TemporaryDirectory(prefix="aerlock-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(run(Path(folder), arguments.seconds, arguments.seed, arguments.pause))


if __name__ == "__main__":
    sys.exit(main())
