"""How a catalog of many programs answers, against one of few."""

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from report import Row, compare

from aerlock.v1.programs_pb2 import ListProgramsRequest, Program
from aerlock_gateway.core.access import Account, Role
from aerlock_gateway.core.program_access import find_program
from aerlock_gateway.core.program_list import read_listing, read_page
from aerlock_gateway.store import accounts, grants, programs
from aerlock_gateway.store.schema import migrate

FEW = 1_000
TARGET = 1.3
PAGE = 50
OWNERS = 10
# What an account was granted is sorted for each page: that grows, with its grants alone.
GRANTS = 100
ADMIN = Account("owner-0", Role.ADMIN)
AUTHOR = Account("owner-1", Role.AUTHOR)


def catalog_rows(many: int, rounds: int) -> Iterator[Row]:
    """Pages of programs and single ones: the same for the caller, however many there are."""
    with _catalog(many) as large, _catalog(FEW) as small:
        for name, read in READS.items():
            title = f"{name} at {many:,} programs, against {FEW:,}"
            ratio = compare(title, partial(read, large, many), partial(read, small, FEW), rounds)
            yield Row(title, ratio, "lower", TARGET)


def _listing(account: Account, **fields: object) -> Callable[[sqlite3.Connection, int], object]:
    listing = read_listing(account, ListProgramsRequest(**fields))  # type: ignore[arg-type]

    def read(connection: sqlite3.Connection, count: int) -> object:
        page, token = read_page(connection, listing, PAGE)
        assert (len(page), bool(token)) == (PAGE, True)
        return page

    return read


def _late_page(connection: sqlite3.Connection, count: int) -> object:
    """A page that begins in the middle."""
    first = _program_id(count // 2)
    listing = replace(read_listing(AUTHOR, ListProgramsRequest()), after=(first, first))
    return read_page(connection, listing, PAGE)


def _get(connection: sqlite3.Connection, count: int) -> object:
    return [find_program(connection, ADMIN, _program_id(count // 2)) for _ in range(PAGE)]


READS: dict[str, Callable[[sqlite3.Connection, int], object]] = {
    "a page of ListPrograms": _listing(AUTHOR),
    "its middle": _late_page,
    "a page for an admin": _listing(ADMIN),
    "a page by name, backwards": _listing(AUTHOR, order_by="name desc"),
    "a page of the latest": _listing(AUTHOR, order_by="update_time desc"),
    "a page with a name's prefix": _listing(AUTHOR, name_prefix="prog"),
    "50 of GetProgram": _get,
}


@contextmanager
def _catalog(count: int) -> Iterator[sqlite3.Connection]:
    """A database with many programs of ten owners, of which every third is public."""
    with tempfile.TemporaryDirectory(prefix="aerlock-bench-") as folder:
        path = Path(folder) / "gateway.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            migrate(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN")
            for number in range(OWNERS):
                row = accounts.AccountRow(f"owner-{number}", "author", False, None, None, number)
                accounts.insert(connection, row)
            for number in range(count):
                _insert(connection, number)
            connection.execute("COMMIT")
            yield connection


def _insert(connection: sqlite3.Connection, number: int) -> None:
    name, description = f"Program {number}", "A program of many. " * 10
    metadata = Program(name=name, description=description).SerializeToString()
    digest = hashlib.sha256(metadata).digest()
    source = hashlib.sha256(b"source").digest()
    revision = programs.Revision(digest, "{}", metadata, b"source", source, name, description)
    program_id, visibility = _program_id(number), 2 if number % 3 == 0 else 1
    programs.insert(connection, program_id, f"owner-{number % OWNERS}", visibility, number, revision)
    if number < GRANTS:
        grants.put(connection, program_id, AUTHOR.name, 1)


def _program_id(number: int) -> str:
    # Uploads come in no order of their ids.
    return f"program-{hashlib.sha256(str(number).encode()).hexdigest()[:10]}"
