"""How a server with many jobs answers, against one with few."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from report import Row, compare

from aerlock.v1.jobs_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JobOptions,
    JobUsage,
    ListJobsRequest,
)
from aerlock_gateway.core.access import Account, Role
from aerlock_gateway.core.job_list import read_listing, read_page
from aerlock_gateway.core.jobs import find_visible, to_messages
from aerlock_gateway.store.schema import migrate

FEW = 1_000
TARGET = 1.3
PAGE = 50
ADMIN = Account("admin", Role.ADMIN)
AUTHOR = Account("owner-1", Role.AUTHOR)
RARE = 120
"""How many jobs the rare program and the rare tag have, spread over all."""
WAITING = 120

# Each second job is of owner-1; the newest wait.
_FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count - 1)
INSERT INTO jobs (job_id, owner, program_id, program_revision, backend_name, state, last_sequence,
    last_offset, isolation_tier, create_time, start_time, end_time, options, tags, usage, turn)
SELECT 'job-' || n, 'owner-' || (n % 2),
    CASE WHEN n / 2 % (:count / :rare) = 0 THEN 'rare' ELSE 'program-' || (n / 2 % 4) END, 1,
    'backend-' || (n / 2 % 3),
    CASE WHEN n >= :count - :waiting THEN 1 WHEN n / 2 % 5 = 0 THEN 5 WHEN n / 2 % 7 = 0 THEN 6 ELSE 4 END,
    5, 4, 'full', n * 1000000, n * 1000000 + 5, n * 1000000 + 10, :options,
    json_array('tag-' || (n / 2 % 3), 'all',
        CASE WHEN n / 2 % (:count / :rare) = 1 THEN 'rare' ELSE 'common' END),
    :usage, n FROM numbers
"""
_FILL_TAGS = """
INSERT INTO job_tags (job, tag, owner, create_time)
SELECT jobs.id, value, owner, create_time FROM jobs, json_each(jobs.tags)
"""


def job_rows(many: int, rounds: int) -> Iterator[Row]:
    """Pages of jobs and single ones: the same for the caller, however many there are."""
    with _filled(many) as large, _filled(FEW) as small:
        for name, read in READS.items():
            title = f"{name} at {many:,} jobs, against {FEW:,}"
            ratio = compare(title, partial(read, large, many), partial(read, small, FEW), rounds)
            yield Row(title, ratio, "lower", TARGET)


Read = Callable[[sqlite3.Connection, int], object]


def _listing(account: Account = AUTHOR, **fields: object) -> Read:
    request = ListJobsRequest(page_size=PAGE, all_accounts=account == ADMIN, **fields)  # type: ignore[arg-type]

    def read(connection: sqlite3.Connection, count: int) -> object:
        page, token = read_page(connection, read_listing(account, request), PAGE)
        assert (len(page), bool(token)) == (PAGE, True)
        return page

    return read


def _time(field: str) -> Read:
    """A page of the jobs on one side of the middle."""

    def read(connection: sqlite3.Connection, count: int) -> object:
        request = ListJobsRequest(order_by="create_time" if field == "created_after" else "")
        getattr(request, field).FromNanoseconds(count // 2 * 1_000_000)
        page, _ = read_page(connection, read_listing(AUTHOR, request), PAGE)
        assert len(page) == PAGE
        return page

    return read


def _get(connection: sqlite3.Connection, count: int) -> object:
    """Fifty jobs that have ended, from all over, by their ids."""
    numbers = range(1, count - WAITING, (count - WAITING) // PAGE // 2 * 2)[:PAGE]
    return [to_messages(connection, [find_visible(connection, AUTHOR, f"job-{one}")]) for one in numbers]


READS: dict[str, Read] = {
    "50 of GetJob": _get,
    "a page of ListJobs": _listing(),
    "the oldest": _listing(order_by="create_time"),
    "a page before a time": _time("created_before"),
    "a page after a time": _time("created_after"),
    "a page of a program": _listing(program_id="program-1"),
    "a page of a rare program": _listing(program_id="rare"),
    "a page of a tag": _listing(tags=["tag-1"]),
    "a page of two tags, one rare": _listing(tags=["all", "rare"]),
    "a page of a backend": _listing(backend_name="backend-1"),
    "a page of what failed": _listing(states=[JOB_STATE_FAILED]),
    "a page of what has ended": _listing(states=[JOB_STATE_COMPLETED, JOB_STATE_FAILED, JOB_STATE_CANCELLED]),
    "a page of what waits": _listing(states=[JOB_STATE_QUEUED, JOB_STATE_RUNNING]),
    "a page of everyone": _listing(ADMIN),
    "everyone's of a rare program": _listing(ADMIN, program_id="rare"),
    "everyone's of what failed": _listing(ADMIN, states=[JOB_STATE_FAILED]),
    "everyone's of a tag": _listing(ADMIN, tags=["rare"]),
}


@contextmanager
def _filled(count: int) -> Iterator[sqlite3.Connection]:
    """A database with many jobs of two accounts."""
    with tempfile.TemporaryDirectory(prefix="aerlock-bench-") as folder:
        path = Path(folder) / "gateway.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            migrate(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            parameters = {
                "count": count,
                "rare": 2 * RARE,
                "waiting": WAITING,
                "options": JobOptions(image="default", log_level="WARNING").SerializeToString(),
                "usage": JobUsage(peak_memory_bytes=10**8, output_bytes=10**6).SerializeToString(),
            }
            connection.execute("BEGIN")
            connection.execute(_FILL, parameters)
            connection.execute(_FILL_TAGS)
            connection.execute("COMMIT")
            yield connection
