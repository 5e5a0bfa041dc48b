"""What the gateway says to an executor to start a task, and how it hears what the task does."""

import sqlite3
from typing import Final

import grpc
from google.protobuf.message import Message

from aerlock.v1.jobs_pb2 import JobOptions
from aerlock.v1.programs_pb2 import Program, ProgramSource
from aerlock.v1.values_pb2 import BlobRef, MapValue
from aerlock_executor.v1 import executor_pb2
from aerlock_gateway.core.encoding import Batch, read_batch
from aerlock_gateway.store import blobs, jobs, programs

_SERVICE: Final = executor_pb2.DESCRIPTOR.services_by_name["ExecutorService"].full_name


def stream_of(
    channel: grpc.aio.Channel, method: str, request: type[Message]
) -> "grpc.aio.UnaryStreamMultiCallable[Message, Batch]":
    """Returns StartTask or AttachTask as a call that gives batches: the generated one gives messages."""
    return channel.unary_stream(
        f"/{_SERVICE}/{method}",
        request_serializer=request.SerializeToString,
        response_deserializer=read_batch,
    )


def start_request(
    connection: sqlite3.Connection, job_id: str
) -> tuple[executor_pb2.StartTaskRequest, list[BlobRef]]:
    """Returns what starts the task of a job that exists, and the blobs that it needs."""
    row = jobs.find(connection, job_id, with_deleted=True)
    assert row is not None  # noqa: S101
    options = JobOptions.FromString(row.options)
    program = Program.FromString(programs.metadata(connection, row.program_id, row.program_revision))
    refs = [
        BlobRef(sha256=sha256.hex(), size_bytes=size)
        for sha256, size in blobs.of_job(connection, row.id, blobs.INPUT)
    ]
    request = executor_pb2.StartTaskRequest(
        task_id=job_id,
        source=ProgramSource.FromString(programs.source(connection, row.program_id, row.program_revision)),
        inputs=MapValue.FromString(jobs.inputs(connection, row.id)),
        backend_name=row.backend_name,
        environment=options.image,
        log_level=options.log_level,
        limits=executor_pb2.TaskLimits(wall_time=options.max_execution_time, resources=options.limits),
        interim_results_schema=program.interim_results_schema,
        return_values_schema=program.return_values_schema,
        isolation_tier=row.isolation_tier,
    )
    return request, refs
