"""Jobs as accounts see them: who may see one, and a row as its message."""

import json
import sqlite3
from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from aerlock.v1.jobs_pb2 import (
    JOB_STATE_QUEUED,
    GetJobRequest,
    Job,
    JobFailure,
    JobOptions,
    JobTimes,
    JobUsage,
)
from aerlock.v1.values_pb2 import MapValue
from aerlock_gateway.core import clock
from aerlock_gateway.core.access import (
    Account,
    Action,
    Relation,
    allowed,
    missing,
    relation_to_owner,
    require,
)
from aerlock_gateway.store import jobs, queue
from aerlock_gateway.store.database import Database


def find_visible(
    connection: sqlite3.Connection, caller: Account, job_id: str, action: Action = Action.SEE_JOB
) -> jobs.JobRow:
    """Returns the row of a job to which the caller may do ``action``; raises `NotFoundError` for others."""
    row = jobs.find(connection, job_id)
    if row is None:
        raise missing("job")
    require(action, caller, relation_to_owner(caller, row.owner))
    return row


def watched_owner(caller: Account, all_accounts: bool) -> str | None:
    """Returns whose jobs a list or stream holds; None is everyone's."""
    sees_all = allowed(Action.SEE_JOB, caller.role, Relation.NONE)
    return None if all_accounts and sees_all else caller.name


async def get_job(database: Database, caller: Account, request: GetJobRequest) -> Job:
    """Returns one job; raises `NotFoundError`."""

    def read(connection: sqlite3.Connection) -> Job:
        row = find_visible(connection, caller, request.job_id)
        (job,) = to_messages(connection, [row])
        if request.include_inputs:
            job.inputs.CopyFrom(MapValue.FromString(jobs.inputs(connection, row.id)))
        return job

    return await database.read(read)


def to_messages(connection: sqlite3.Connection, rows: Sequence[jobs.JobRow]) -> list[Job]:
    """Returns the messages of rows, with the queue positions of those that wait."""
    waits = any(row.state == JOB_STATE_QUEUED for row in rows)
    positions = queue.positions(connection) if waits else {}
    return [to_message(row, positions.get(row.id)) for row in rows]


def to_message(row: jobs.JobRow, queue_position: int | None = None) -> Job:
    """Returns the message of a row, without inputs."""
    return Job(
        job_id=row.job_id,
        program_id=row.program_id,
        program_revision=row.program_revision,
        owner=row.owner,
        backend_name=row.backend_name,
        state=row.state,  # type: ignore[arg-type]
        options=JobOptions.FromString(row.options),
        tags=json.loads(row.tags),
        last_sequence=row.last_sequence,
        failure=None if row.failure is None else JobFailure.FromString(row.failure),
        times=JobTimes(
            create_time=_time(row.create_time),
            start_time=_time(row.start_time),
            first_output_time=_time(row.first_output_time),
            end_time=_time(row.end_time),
        ),
        usage=None if row.usage is None else JobUsage.FromString(row.usage),
        queue_position=queue_position,
        isolation_tier=row.isolation_tier,
    )


def _time(nanoseconds: int | None) -> Timestamp | None:
    return None if nanoseconds is None else clock.to_timestamp(nanoseconds)
