"""The public services: each method is a line between its messages and the rules."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from aerlock import __version__
from aerlock.codec.bounds import MAX_INLINE_BYTES
from aerlock.v1 import (
    backends_pb2,
    backends_pb2_grpc,
    blobs_pb2,
    blobs_pb2_grpc,
    jobs_pb2,
    jobs_pb2_grpc,
    server_pb2,
    server_pb2_grpc,
)
from aerlock_gateway.core.blob_uploads import BlobUploads
from aerlock_gateway.core.blobs import Blobs
from aerlock_gateway.core.executor_link import ExecutorLink
from aerlock_gateway.core.isolation import Isolation
from aerlock_gateway.core.job_changes import JobChanges
from aerlock_gateway.core.job_list import list_jobs
from aerlock_gateway.core.jobs import get_job
from aerlock_gateway.core.runs import Runs
from aerlock_gateway.core.watch import Watch
from aerlock_gateway.rpc.interceptors import caller
from aerlock_gateway.store.database import Database

Context = grpc.aio.ServicerContext[Any, Any]

# The methods are described in protos/aerlock/v1, and named as there.
# ruff: noqa: N802, D102


class JobService(jobs_pb2_grpc.JobServiceServicer):
    """See protos/aerlock/v1/jobs.proto."""

    def __init__(self, database: Database, runs: Runs, changes: JobChanges, watch: Watch) -> None:
        self._database = database
        self._runs = runs
        self._changes = changes
        self._watch = watch

    async def RunProgram(
        self, request: jobs_pb2.RunProgramRequest, context: Context
    ) -> jobs_pb2.RunProgramResponse:
        return jobs_pb2.RunProgramResponse(job=await self._runs.run(caller.get(), request))

    async def GetJob(self, request: jobs_pb2.GetJobRequest, context: Context) -> jobs_pb2.GetJobResponse:
        return jobs_pb2.GetJobResponse(job=await get_job(self._database, caller.get(), request))

    async def ListJobs(
        self, request: jobs_pb2.ListJobsRequest, context: Context
    ) -> jobs_pb2.ListJobsResponse:
        jobs, token = await list_jobs(self._database, caller.get(), request)
        return jobs_pb2.ListJobsResponse(jobs=jobs, next_page_token=token)

    def WatchJob(  # type: ignore[override]  # serialized responses; see ErrorInterceptor
        self, request: jobs_pb2.WatchJobRequest, context: Context
    ) -> AsyncIterator[bytes]:
        return self._watch.job(caller.get(), request)

    def WatchJobs(  # type: ignore[override]  # serialized responses; see ErrorInterceptor
        self, request: jobs_pb2.WatchJobsRequest, context: Context
    ) -> AsyncIterator[bytes]:
        return self._watch.account(caller.get(), request)

    async def CancelJob(
        self, request: jobs_pb2.CancelJobRequest, context: Context
    ) -> jobs_pb2.CancelJobResponse:
        return jobs_pb2.CancelJobResponse(job=await self._changes.cancel(caller.get(), request.job_id))

    async def UpdateJob(
        self, request: jobs_pb2.UpdateJobRequest, context: Context
    ) -> jobs_pb2.UpdateJobResponse:
        return jobs_pb2.UpdateJobResponse(job=await self._changes.update(caller.get(), request))

    async def DeleteJob(
        self, request: jobs_pb2.DeleteJobRequest, context: Context
    ) -> jobs_pb2.DeleteJobResponse:
        await self._changes.delete(caller.get(), request.job_id)
        return jobs_pb2.DeleteJobResponse()


class BackendService(backends_pb2_grpc.BackendServiceServicer):
    """See protos/aerlock/v1/backends.proto."""

    def __init__(self, link: ExecutorLink) -> None:
        self._link = link

    async def ListBackends(
        self, request: backends_pb2.ListBackendsRequest, context: Context
    ) -> backends_pb2.ListBackendsResponse:
        return backends_pb2.ListBackendsResponse(backends=self._link.backends())


class BlobService(blobs_pb2_grpc.BlobServiceServicer):
    """See protos/aerlock/v1/blobs.proto."""

    def __init__(self, blobs: Blobs, uploads: BlobUploads) -> None:
        self._blobs = blobs
        self._uploads = uploads

    async def FindMissingBlobs(
        self, request: blobs_pb2.FindMissingBlobsRequest, context: Context
    ) -> blobs_pb2.FindMissingBlobsResponse:
        missing = await self._blobs.find_missing(caller.get().name, request.blobs)
        return blobs_pb2.FindMissingBlobsResponse(missing=missing)

    async def WriteBlob(
        self, request_iterator: AsyncIterator[blobs_pb2.WriteBlobRequest], context: Context
    ) -> blobs_pb2.WriteBlobResponse:
        written = await self._uploads.write(caller.get().name, request_iterator)
        return blobs_pb2.WriteBlobResponse(written_bytes=written)

    async def ReadBlob(
        self, request: blobs_pb2.ReadBlobRequest, context: Context
    ) -> AsyncIterator[blobs_pb2.ReadBlobResponse]:
        async for data in self._blobs.read(caller.get(), request):
            yield blobs_pb2.ReadBlobResponse(data=data)


class ServerService(server_pb2_grpc.ServerServiceServicer):
    """See protos/aerlock/v1/server.proto."""

    def __init__(self, link: ExecutorLink, isolation: Isolation, max_blob_bytes: int) -> None:
        self._link = link
        self._isolation = isolation
        self._max_blob_bytes = max_blob_bytes

    async def GetServerInfo(
        self, request: server_pb2.GetServerInfoRequest, context: Context
    ) -> server_pb2.GetServerInfoResponse:
        response = server_pb2.GetServerInfoResponse(
            version=__version__,
            account=caller.get().name,
            max_inline_value_bytes=MAX_INLINE_BYTES,
            max_blob_bytes=self._max_blob_bytes,
        )
        if info := self._link.info:
            response.isolation_tier = info.isolation_tier
            response.qpy_version = info.qpy_version
            response.qiskit_version = info.qiskit_version
            response.codec_version = info.codec_version
            response.environments.extend(info.environments)
            response.weaknesses.extend(self._isolation.weaknesses(info))
            response.limits.CopyFrom(info.limits)
        return response
