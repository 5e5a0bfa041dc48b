"""Clients that take every answer apart: they submit, repeat, cancel, watch, break off and resume."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from chaos.checks import is_terminal
from chaos.plan import TIME_LIMIT_SECONDS, Plan, bytes_of
from google.protobuf.duration_pb2 import Duration

from aerlock.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    blobs_pb2,
    blobs_pb2_grpc,
    jobs_pb2,
    jobs_pb2_grpc,
    programs_pb2,
    programs_pb2_grpc,
)
from aerlock.v1.values_pb2 import BlobRef, Value

CHUNK_BYTES = 1 << 20
CALL_SECONDS = 20.0
STREAM_SECONDS = 30.0
# A server that is gone, that is stopping, or that hangs; and one that has too much to do.
PASSING = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
# Another stream that writes the same blob, or has written a part of it meanwhile.
PASSING_FOR_BLOBS = PASSING | {grpc.StatusCode.ABORTED, grpc.StatusCode.OUT_OF_RANGE}
# What grpc.aio itself says where the connection breaks while it sends.
BROKEN_WHILE_SENDING = "Internal error from Core"
SLOW_RESPONSES = 20
OPTIONS = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 500))


class Client:
    """One account's connection; what no server may ever answer is raised."""

    def __init__(self, address: str, token: str) -> None:
        self.retries = 0
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self.metadata = (("authorization", f"Bearer {token}"),)
        self.accounts = accounts_pb2_grpc.AccountServiceStub(self._channel)
        self.blobs = blobs_pb2_grpc.BlobServiceStub(self._channel)
        self.jobs = jobs_pb2_grpc.JobServiceStub(self._channel)
        self.programs = programs_pb2_grpc.ProgramServiceStub(self._channel)

    async def close(self) -> None:
        await self._channel.close()

    async def call(self, method: Any, request: Any) -> Any:
        """Repeats a call until it is answered."""
        while True:
            try:
                return await method(request, metadata=self.metadata, timeout=CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                await self.pass_over(error, PASSING)

    async def pass_over(self, error: grpc.aio.AioRpcError, passing: frozenset[grpc.StatusCode]) -> None:
        """Waits a moment, or raises an error that has no place here."""
        if error.code() not in passing and error.details() != BROKEN_WHILE_SENDING:
            raise error
        self.retries += 1
        await asyncio.sleep(0.1)

    async def make_account(self, name: str) -> str:
        """Returns a token of a new account."""
        account = accounts_pb2.Account(name=name, role=accounts_pb2.ROLE_AUTHOR)
        await self.call(self.accounts.CreateAccount, accounts_pb2.CreateAccountRequest(account=account))
        request = accounts_pb2.CreateTokenRequest(account=name)
        return str((await self.call(self.accounts.CreateToken, request)).secret)

    async def upload(self, source: bytes) -> str:
        program = programs_pb2.Program(
            name="chaos",
            description="All that it does follows from its inputs.",
            max_execution_time=Duration(seconds=900),
            source=programs_pb2.ProgramSource(files={"program.py": source}),
        )
        request = programs_pb2.UploadProgramRequest(program=program, request_id="chaos")
        return str((await self.call(self.programs.UploadProgram, request)).program.program_id)

    async def run(self, program_id: str, plan: Plan) -> set[str]:
        """Submits a job, several times at once; returns the ids that came back."""
        for entry in plan.inputs.entries:
            if entry.value.HasField("blob_value"):
                content = Value(bytes_value=bytes_of(plan.seed + 2, plan.input_bytes)).SerializeToString()
                await self._write_blob(entry.value.blob_value, content)
        limit = Duration(seconds=TIME_LIMIT_SECONDS) if plan.has_limit else None
        request = jobs_pb2.RunProgramRequest(
            program_id=program_id,
            backend_name="aer_simulator",
            inputs=plan.inputs,
            options=jobs_pb2.JobOptions(max_execution_time=limit),
            tags=[f"n{plan.number}"],
            request_id=f"n{plan.number}",
        )
        calls = [self.call(self.jobs.RunProgram, request) for _ in range(plan.copies)]
        answers = await asyncio.gather(*calls)
        return {answer.job.job_id for answer in answers}

    async def cancel(self, job_id: str) -> None:
        await self.call(self.jobs.CancelJob, jobs_pb2.CancelJobRequest(job_id=job_id))

    async def job(self, job_id: str) -> jobs_pb2.Job:
        return (await self.call(self.jobs.GetJob, jobs_pb2.GetJobRequest(job_id=job_id))).job

    async def all_jobs(self) -> list[jobs_pb2.Job]:
        found: list[jobs_pb2.Job] = []
        request = jobs_pb2.ListJobsRequest(page_size=100)
        while True:
            answer = await self.call(self.jobs.ListJobs, request)
            found += answer.jobs
            request.page_token = answer.next_page_token
            if not request.page_token:
                return found

    async def read_blob(self, blob: BlobRef) -> bytes:
        content = b""
        while len(content) < blob.size_bytes:
            request = blobs_pb2.ReadBlobRequest(sha256=blob.sha256, offset=len(content))
            try:
                async for response in self.blobs.ReadBlob(
                    request, metadata=self.metadata, timeout=STREAM_SECONDS
                ):
                    content += response.data
            except grpc.aio.AioRpcError as error:
                await self.pass_over(error, PASSING)
        return content

    async def _write_blob(self, blob: BlobRef, content: bytes) -> None:
        while True:
            request = blobs_pb2.FindMissingBlobsRequest(blobs=[blob])
            missing = (await self.call(self.blobs.FindMissingBlobs, request)).missing
            if not missing:
                return
            requests = _write_requests(blob, content, missing[0].written_bytes)
            try:
                await self.blobs.WriteBlob(requests, metadata=self.metadata, timeout=STREAM_SECONDS)
            except grpc.aio.AioRpcError as error:
                await self.pass_over(error, PASSING_FOR_BLOBS)


async def _write_requests(
    blob: BlobRef, content: bytes, offset: int
) -> AsyncIterator[blobs_pb2.WriteBlobRequest]:
    yield blobs_pb2.WriteBlobRequest(blob=blob, offset=offset)
    for start in range(offset, len(content), CHUNK_BYTES):
        yield blobs_pb2.WriteBlobRequest(data=content[start : start + CHUNK_BYTES])


class JobWatcher:
    """Follows one job to its end and keeps what it got; now and then it breaks off and resumes."""

    def __init__(
        self,
        client: Client,
        job_id: str,
        choose: random.Random,
        kinds: tuple[int, ...] = (),
        slow: bool = False,
    ) -> None:
        self.job_id = job_id
        self.kinds = kinds
        self.events: list[jobs_pb2.JobEvent] = []
        self._client = client
        self._choose = choose
        self._slow_responses = SLOW_RESPONSES if slow else 0
        self._after = 0

    async def run(self) -> None:
        """Returns when the stream has ended by itself."""
        while not await self._watch():
            pass

    async def _watch(self) -> bool:
        request = jobs_pb2.WatchJobRequest(job_id=self.job_id, after_sequence=self._after, kinds=self.kinds)
        call = self._client.jobs.WatchJob(request, metadata=self._client.metadata)
        try:
            async for response in call:
                self.events += response.events
                self._after = response.scanned_sequence
                if self._slow_responses:
                    self._slow_responses -= 1
                    await asyncio.sleep(self._choose.uniform(0, 0.5))
                if self._choose.random() < 0.02:
                    return False
        except grpc.aio.AioRpcError as error:
            await self._client.pass_over(error, PASSING)
            return False
        finally:
            call.cancel()
        return True


class AccountWatcher:
    """Follows all jobs of an account behind one cursor, until it is cancelled."""

    def __init__(self, client: Client, choose: random.Random) -> None:
        self.events: dict[str, list[jobs_pb2.JobEvent]] = {}
        self._client = client
        self._choose = choose
        self._cursor = 0
        self._changed = asyncio.Event()

    async def run(self) -> None:
        while True:
            await self._watch()

    async def until_ended(self, job_ids: Iterable[str]) -> None:
        """Waits for the terminal events of jobs."""
        for job_id in job_ids:
            while not self._has_ended(job_id):
                self._changed.clear()
                await self._changed.wait()

    def _has_ended(self, job_id: str) -> bool:
        events = self.events.get(job_id)
        return bool(events) and is_terminal(events[-1])

    async def _watch(self) -> None:
        request = jobs_pb2.WatchJobsRequest(after_cursor=self._cursor)
        call = self._client.jobs.WatchJobs(request, metadata=self._client.metadata)
        try:
            async for response in call:
                for entry in response.entries:
                    self.events.setdefault(entry.job_id, []).extend(entry.events)
                self._cursor = response.cursor
                self._changed.set()
                if self._choose.random() < 0.01:
                    return
        except grpc.aio.AioRpcError as error:
            await self._client.pass_over(error, PASSING)
        finally:
            call.cancel()
