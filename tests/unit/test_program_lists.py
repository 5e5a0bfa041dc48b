"""Lists of programs in the database: each from indexes, and what one does not see is not even read."""

import sqlite3
from contextlib import closing
from itertools import islice

import pytest

from aerlock_gateway.core.program_list import read_page
from aerlock_gateway.store import accounts, grants, program_lists, programs
from aerlock_gateway.store.catalog_tables import ORDERS
from aerlock_gateway.store.program_lists import Listing
from aerlock_gateway.store.schema import migrate

PRIVATE, PUBLIC = 1, 2
COUNT = 5_000


def insert(connection, program_id, owner, visibility=PRIVATE, name="sample", now=0):
    revision = programs.Revision(b"", "{}", b"", b"", b"", name, "A sample.")
    programs.insert(connection, program_id, owner, visibility, now, revision)


@pytest.fixture(scope="module")
def connection():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        for name in ("ada", "bob"):
            accounts.insert(connection, accounts.AccountRow(name, "author", False, None, None, 0))
        connection.execute("BEGIN")
        for number in range(COUNT):
            insert(connection, f"hidden-{number:05}", "bob", now=number)
        for number in range(20):
            insert(connection, f"own-{number:02}", "ada", now=number)
            insert(connection, f"public-{number:02}", "bob", PUBLIC, name="Shown", now=number)
        for number in range(3):
            grants.put(connection, f"hidden-{number:05}", "ada", 1)
        insert(connection, "deleted", "ada", PUBLIC)
        programs.mark_deleted(connection, "deleted", 1)
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
        yield connection


def listing(**fields) -> Listing:
    return Listing(
        **{"account": "ada", "sees_all": False, "order": "program_id", "descending": False, **fields}
    )


def ids(connection, **fields):
    return [row[1] for row in program_lists.scan(connection, listing(**fields)) if row[2]]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("descending", [False, True])
def test_list_has_what_the_account_sees_once_and_in_order(connection, order, descending):
    found = list(program_lists.scan(connection, listing(order=order, descending=descending)))
    expected = {f"{kind}-{number:02}" for kind in ("own", "public") for number in range(20)}
    assert sorted(row[1] for row in found) == sorted(expected | {f"hidden-{n:05}" for n in range(3)})
    keys = [(key.lower() if isinstance(key, str) else key, program_id) for key, program_id, _ in found]
    assert keys == sorted(keys, reverse=descending)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sees_all", [False, True])
@pytest.mark.parametrize("prefix", ["", "sam"])
def test_no_list_reads_or_sorts_more_than_its_page(connection, order, descending, sees_all, prefix):
    key = 5 if order == "update_time" else "own-05"
    one = listing(
        order=order, descending=descending, sees_all=sees_all, name_prefix=prefix, after=(key, "own-05")
    )
    sql, parameters = program_lists.statement(one)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    searches = [step for step in plan if step.startswith(("SEARCH p ", "SCAN p"))]
    assert len(searches) == (1 if sees_all else 3)
    assert all(step.startswith("SEARCH") for step in searches), plan
    # Only what an account was granted is sorted, where the order is not that of ids.
    sorts = [step for step in plan if "TEMP B-TREE" in step]
    assert len(sorts) <= (0 if sees_all or order == "program_id" else 1), plan


def test_pages_join_without_gap_and_double(connection):
    token_listing, found = listing(), []
    while True:
        page, token = read_page(connection, token_listing, 7)
        found += [program.program_id for program in page]
        if not token:
            break
        last = found[-1]
        token_listing = listing(after=(last, last))
    assert found == ids(connection)


def test_filter_that_takes_little_ends_its_page_early(connection):
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    connection.set_progress_handler(count, 1000)
    page, token = read_page(connection, listing(sees_all=True, text="nowhere"), 50)
    connection.set_progress_handler(None, 0)
    assert (page, bool(token)) == ([], True)
    assert steps < 2_000 * 100 / 1000


def test_programs_are_read_as_they_are_asked_for(connection):
    steps = []
    connection.set_progress_handler(lambda: steps.append(1), 100)
    first = list(islice(program_lists.scan(connection, listing(sees_all=True)), 10))
    connection.set_progress_handler(None, 0)
    assert len(first) == 10
    assert len(steps) < 20
