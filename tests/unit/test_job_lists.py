"""Lists of jobs in the database: each in order from an index, with its filters in the same index."""

import itertools
import random
import sqlite3
from contextlib import closing

import pytest

from aerlock.v1.jobs_pb2 import JobFailure, ListJobsRequest
from aerlock_gateway.core.access import Account, Role
from aerlock_gateway.core.job_list import read_listing, read_page
from aerlock_gateway.store import deletion, job_lists, jobs
from aerlock_gateway.store.job_lists import Listing
from aerlock_gateway.store.schema import migrate

COUNT = 3_000
OWNERS = ("ada", "bob")
PROGRAMS = ("bell", "ghz", "ising")
BACKENDS = ("aer_simulator", "other")
TAGS = ("daily", "paper", "é-ü")
ADA = Account("ada", Role.AUTHOR)
ADMIN = Account("admin", Role.ADMIN)


@pytest.fixture(scope="module")
def connection():
    """Jobs of two accounts, of which each seventh is deleted; many share a create time, some go back."""
    chance = random.Random(5)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        connection.execute("BEGIN")
        for number in range(COUNT):
            tags = [tag for tag in TAGS if chance.random() < 0.3]
            job = jobs.NewJob(
                f"job-{number:05}",
                chance.choice(OWNERS),
                chance.choice(PROGRAMS),
                1,
                chance.choice(BACKENDS),
                b"",
                tags,
                b"",
            )
            head = jobs.insert(connection, job, number, number // 5 - 10 * (number % 50 == 0))
            head.state = chance.choice((4, 4, 4, 5, 6)) if number < COUNT - 20 else 1 + number % 3
            jobs.set_state(connection, head)
            if number % 7 == 0 and head.state > 3:
                deletion.hide(connection, head.id, 0)
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
        yield connection


FILTERS = {
    "program_id": ("", "bell", "none such"),
    "states": ((), (4,), (1, 2, 3), (5, 6), (1, 2, 3, 4, 5, 6)),
    "tags": ((), ("paper",), ("é-ü", "daily")),
    "backend_name": ("", "other"),
    "created": ((None, None), (100, None), (None, 500), (100, 500)),
}
EVERY = [
    Listing(owner, descending, program, states, tags, backend, after, before)
    for owner in ("ada", None)
    for descending in (True, False)
    for program, states, tags, backend, (after, before) in itertools.product(*FILTERS.values())
]


def expected(connection, one: Listing) -> list[str]:
    """What a list should have, from every row by itself."""
    rows = connection.execute(
        "SELECT job_id, owner, program_id, state, tags, backend_name, create_time, id FROM jobs"
        " WHERE purge_time IS NULL"
    ).fetchall()
    found = [
        (time, number, job_id)
        for job_id, owner, program, state, tags, backend, time, number in rows
        if one.owner in (None, owner)
        and one.program_id in ("", program)
        and (not one.states or state in one.states)
        and all(f'"{tag}"' in tags for tag in one.tags)
        and one.backend_name in ("", backend)
        and (one.created_after is None or time >= one.created_after)
        and (one.created_before is None or time < one.created_before)
    ]
    return [job_id for *_, job_id in sorted(found, reverse=one.descending)]


def walk(connection, one: Listing, size: int) -> list[str]:
    """All pages of a list, with tokens as a client passes them."""
    found, token = [], None
    while token != "":
        request = ListJobsRequest(
            page_size=size,
            page_token=token or "",
            all_accounts=one.owner is None,
            program_id=one.program_id,
            states=one.states,
            tags=one.tags,
            backend_name=one.backend_name,
            order_by="" if one.descending else "create_time",
        )
        for field in ("created_after", "created_before"):
            if (time := getattr(one, field)) is not None:
                getattr(request, field).FromNanoseconds(time)
        listing = read_listing(ADMIN if one.owner is None else ADA, request)
        page, token = read_page(connection, listing, size)
        assert len(page) <= size
        found += [job.job_id for job in page]
    return found


def test_every_filter_and_order_gives_what_it_says_page_by_page(connection):
    for number, one in enumerate(random.Random(2).sample(EVERY, 60)):
        size = (1000, 97, 400)[number % 3]
        assert walk(connection, one, size) == expected(connection, one), one


def test_pages_of_a_short_scan_join_without_gap_and_double(connection, monkeypatch):
    monkeypatch.setattr(job_lists, "MOST_SCANNED", 100)
    monkeypatch.setattr(job_lists, "MOST_SCANNED_BY_TAG", 10)
    for one in random.Random(1).sample(EVERY, 60):
        assert walk(connection, one, 7) == expected(connection, one), one


def test_no_list_scans_a_table_or_sorts(connection):
    for one in EVERY:
        for after in (None, (300, 1500)):
            listing = Listing(**{name: getattr(one, name) for name in one.__slots__} | {"after": after})
            sql, parameters = job_lists.statement(listing, 51)
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
            assert not [step for step in plan if "TEMP B-TREE" in step], (sql, plan)
            scans = [step for step in plan if step.startswith(("SCAN jobs", "SCAN job_tags"))]
            # All of everyone's is the whole of its index, in order.
            everything = listing.owner is None and not (
                listing.tags or listing.program_id or 0 < len(listing.states) < 4
            )
            assert len(scans) <= everything, (sql, plan)
            reads = [step for step in plan if " USING INDEX " in step]
            assert not reads, (sql, plan)


def test_filter_that_takes_nothing_ends_its_page_early(connection, monkeypatch):
    monkeypatch.setattr(job_lists, "MOST_SCANNED", 100)
    steps = []
    connection.set_progress_handler(lambda: steps.append(1), 100)
    page, token = read_page(connection, Listing(None, backend_name="nowhere"), 50)
    connection.set_progress_handler(None, 0)
    assert (page, bool(token)) == ([], True)
    assert len(steps) < 100


def test_page_has_as_many_jobs_as_a_message_takes(connection):
    long = JobFailure(traceback="x" * 100_000).SerializeToString()
    connection.execute("SAVEPOINT long")
    connection.execute("UPDATE jobs SET failure = ? WHERE state = 5", (long,))
    page, token = read_page(connection, Listing(None, states=(5,)), 1000)
    assert 5 < len(page) < 20
    assert token
    assert sum(job.ByteSize() for job in page) < 2 << 20
    connection.execute("ROLLBACK TO long")
    connection.execute("RELEASE long")


def test_page_of_waiting_jobs_has_their_positions(connection):
    page, _ = read_page(connection, Listing(None, states=(1,)), 1000)
    positions = [job.queue_position for job in page]
    assert sorted(positions) == list(range(len(page)))
    page, _ = read_page(connection, Listing(None, states=(2, 4)), 1000)
    assert not any(job.HasField("queue_position") for job in page)
