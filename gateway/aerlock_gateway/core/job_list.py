"""Listing jobs: the caller's or everyone's, filtered, in order, in pages that clients take."""

import hashlib
import json
import sqlite3
from dataclasses import replace
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from aerlock.v1.jobs_pb2 import JOB_STATE_UNSPECIFIED, Job, JobState, ListJobsRequest
from aerlock_gateway.core import clock, paging
from aerlock_gateway.core.access import Account
from aerlock_gateway.core.jobs import to_messages, watched_owner
from aerlock_gateway.core.tags import searched_tag_violations
from aerlock_gateway.errors import InvalidArgumentError, Violation
from aerlock_gateway.store import job_lists
from aerlock_gateway.store.database import Database
from aerlock_gateway.store.job_lists import Listing, Place
from aerlock_gateway.store.jobs import JobRow

_METHOD: Final = "jobs"
_ORDERS: Final = {"": True, "create_time desc": True, "create_time": False, "create_time asc": False}
_STATES: Final = frozenset(JobState.values()) - {JOB_STATE_UNSPECIFIED}
_LONGEST_NAME: Final = 100
_MOST_STATES: Final = 16
# A message that gRPC takes by default has 4 MiB.
_LARGEST_PAGE: Final = 1 << 20
# What a job takes in a page besides its failure and tags.
_SMALLEST_JOB: Final = 512


async def list_jobs(database: Database, caller: Account, request: ListJobsRequest) -> tuple[list[Job], str]:
    """Returns a page of the jobs asked for and the token of the next; raises `InvalidArgumentError`."""
    size = paging.page_size(request.page_size)
    listing = read_listing(caller, request)
    return await database.read(lambda connection: read_page(connection, listing, size))


def read_listing(caller: Account, request: ListJobsRequest) -> Listing:
    """Returns what a request asks for; raises `InvalidArgumentError`."""
    if violations := _violations(request):
        raise InvalidArgumentError.of(violations)
    listing = Listing(
        owner=watched_owner(caller, request.all_accounts),
        descending=_ORDERS[request.order_by.strip()],
        program_id=request.program_id,
        states=tuple(sorted(set(request.states))),
        tags=tuple(dict.fromkeys(request.tags)),
        backend_name=request.backend_name,
        created_after=_time(request, "created_after"),
        created_before=_time(request, "created_before"),
    )
    return replace(listing, after=_read_token(listing, request.page_token))


def read_page(connection: sqlite3.Connection, listing: Listing, size: int) -> tuple[list[Job], str]:
    """Returns a page and the token of the next: at most ``size`` jobs, and as many as fit into one."""
    page: list[JobRow] = []
    room = _LARGEST_PAGE
    scan = job_lists.rarest_first(connection, listing)
    for row in job_lists.rows(connection, scan, size + 1):
        room -= _SMALLEST_JOB + len(row.options) + len(row.tags) + len(row.failure or b"")
        if len(page) == size or (page and room < 0):
            last: Place | None = (page[-1].create_time, page[-1].id)
            break
        page.append(row)
    else:
        last = job_lists.last_scanned(connection, scan)
    return to_messages(connection, page), _make_token(listing, last) if last else ""


def _violations(request: ListJobsRequest) -> list[Violation]:
    violations = list(searched_tag_violations(request.tags, "tags"))
    if request.order_by.strip() not in _ORDERS:
        violations.append(Violation("order_by", 'must be "create_time desc" or "create_time"'))
    if len(request.states) > _MOST_STATES or not _STATES.issuperset(request.states):
        violations.append(Violation("states", "must be states of a job, each named once"))
    for field in ("program_id", "backend_name"):
        if len(getattr(request, field)) > _LONGEST_NAME:
            violations.append(Violation(field, f"must have at most {_LONGEST_NAME} characters"))
    for field in ("created_after", "created_before"):
        if not 0 <= getattr(request, field).nanos < clock.SECOND:
            violations.append(Violation(field, "must have nanos from 0 to 999,999,999"))
    return violations


def _time(request: ListJobsRequest, field: str) -> int | None:
    """Returns a time as the database has it: one that it cannot have becomes the nearest that it can."""
    if not request.HasField(field):  # type: ignore[arg-type]
        return None
    timestamp: Timestamp = getattr(request, field)
    return max(-(2**63), min(2**63 - 1, clock.from_timestamp(timestamp)))


def _make_token(listing: Listing, last: Place) -> str:
    return paging.make_token(_METHOD, json.dumps([_digest(listing), *last]))


def _read_token(listing: Listing, token: str) -> Place | None:
    text = paging.read_token(_METHOD, token, "")
    if not text:
        return None
    try:
        digest, time, number = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        digest, time, number = None, None, None
    if digest != _digest(listing) or not all(
        type(part) is int and abs(part) < 2**63 for part in (time, number)
    ):
        raise InvalidArgumentError.of(
            [Violation("page_token", "did not come from a list with this filter and order; start it anew")]
        )
    return time, number


def _digest(listing: Listing) -> str:
    """Returns a word for all that the pages of one list have in common."""
    whole = replace(listing, after=None)
    return hashlib.sha256(repr(whole).encode(errors="replace")).hexdigest()[:16]
