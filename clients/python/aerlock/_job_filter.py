"""What to list of jobs: the arguments of ``RuntimeService.jobs`` as a request."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from aerlock.exceptions import InputValueError
from aerlock.job_status import BY_STATE, TERMINAL_STATES
from aerlock.v1 import jobs_pb2

PENDING_STATES: Final = tuple(sorted(set(BY_STATE) - TERMINAL_STATES))
"""The states of jobs that have not ended."""
RETURNED_STATES: Final = tuple(sorted(TERMINAL_STATES))
"""The states of jobs that have ended."""


def list_request(
    pending: bool | None = None,
    program_id: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    job_tags: Sequence[str] | None = None,
    backend_name: str | None = None,
    descending: bool = True,
    all_accounts: bool = False,
) -> jobs_pb2.ListJobsRequest:
    """The request for the jobs that all of these take; raises `InputValueError`."""
    if isinstance(job_tags, str):
        raise InputValueError(f"job_tags must be a list of strings, not {job_tags!r}")
    for name, value in (("program_id", program_id), ("backend_name", backend_name)):
        if value == "":
            raise InputValueError(f"{name} is empty: give one, or leave it out to list the jobs of all")
    request = jobs_pb2.ListJobsRequest(
        all_accounts=all_accounts,
        program_id=program_id or "",
        tags=job_tags or (),
        backend_name=backend_name or "",
        order_by="create_time desc" if descending else "create_time",
    )
    if pending is not None:
        request.states.extend(PENDING_STATES if pending else RETURNED_STATES)
    if created_after is not None:
        request.created_after.CopyFrom(_timestamp(created_after, "created_after"))
    if created_before is not None:
        request.created_before.CopyFrom(_timestamp(created_before, "created_before"))
    return request


def _timestamp(time: datetime, name: str) -> Timestamp:
    """The message for a time, which is local where it has no zone."""
    if not isinstance(time, datetime):
        raise InputValueError(f"{name} must be a datetime, not {time!r}")
    timestamp = Timestamp()
    try:
        timestamp.FromDatetime(time.astimezone(UTC))
    except (ValueError, OverflowError, OSError):
        raise InputValueError(f"{name} is beyond the times that there are: {time}") from None
    return timestamp
