"""Lists of jobs: those of one account or of all, filtered and in order, page by page."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from aerlock_gateway.store.job_tables import KEPT
from aerlock_gateway.store.jobs import COLUMNS, JobRow

Place = tuple[int, int]
"""Where a job stands in a list: its create time and its id."""
Parameters = dict[str, object]

MOST_SCANNED: Final = 20_000
"""How many entries of an index one page looks at: a filter that takes few of them ends its page early."""
MOST_SCANNED_BY_TAG: Final = 2_000
"""The same for lists by tags, whose other filters read each job."""

# Each state comes from a part of the index of its own; of more of them most jobs are taken anyway.
_MOST_MERGED: Final = 3
_PLACE: Final = "create_time, id"
_FILTERED: Final = "state, program_id, backend_name"

# The statements are put together from constants of this file.
# ruff: noqa: S608


@dataclass(frozen=True, slots=True)
class Listing:
    """What to list: whose jobs, which of them, in which order, and behind which place."""

    owner: str | None
    """None is everyone's."""
    descending: bool = True
    program_id: str = ""
    states: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    backend_name: str = ""
    created_after: int | None = None
    created_before: int | None = None
    after: Place | None = None
    """Where the page before ended."""

    @property
    def most_scanned(self) -> int:
        """How many entries of its index one page looks at."""
        return MOST_SCANNED_BY_TAG if self.tags else MOST_SCANNED


def rarest_first(connection: sqlite3.Connection, listing: Listing) -> Listing:
    """Returns the same list with its rarest tag first, by which its jobs are looked up."""
    if len(listing.tags) < 2:
        return listing
    of_owner = "" if listing.owner is None else " AND owner = :owner"
    tagged = f"SELECT 1 FROM job_tags WHERE tag = :tag{of_owner} LIMIT {MOST_SCANNED_BY_TAG}"

    def count(tag: str) -> int:
        (number,) = connection.execute(
            f"SELECT count(*) FROM ({tagged})", {"tag": tag, "owner": listing.owner}
        ).fetchone()
        return int(number)

    return replace(listing, tags=tuple(sorted(listing.tags, key=count)))


def rows(connection: sqlite3.Connection, listing: Listing, limit: int) -> Iterator[JobRow]:
    """Yields at most ``limit`` jobs out of those that one page looks at, each read when it is asked for."""
    for row in connection.execute(*statement(listing, limit)):
        yield JobRow(*row)


def statement(listing: Listing, limit: int) -> tuple[str, Parameters]:
    """Returns the SQL of `rows` with its parameters."""
    scan, parameters = _scan(listing)
    table = "jobs" if listing.tags else "scanned"
    conditions = "".join(f" AND {condition}" for condition in _filters(listing, table, parameters))
    columns = ", ".join(f"jobs.{name}" for name in COLUMNS.split(", "))
    parameters |= {"scanned": listing.most_scanned, "limit": limit}
    return (
        f"SELECT {columns} FROM ({scan} LIMIT :scanned) AS scanned"
        # CROSS JOIN keeps the order; the rows of the jobs are read for what the filters let through.
        f" CROSS JOIN jobs ON jobs.id = scanned.id WHERE 1{conditions} LIMIT :limit",
        parameters,
    )


def last_scanned(connection: sqlite3.Connection, listing: Listing) -> Place | None:
    """Returns the last place that one page looks at, or None where the list ends before."""
    scan, parameters = _scan(listing)
    row = connection.execute(
        f"SELECT {_PLACE} FROM ({scan} LIMIT 1 OFFSET :offset)",
        {**parameters, "offset": listing.most_scanned - 1},
    ).fetchone()
    return row and (int(row[0]), int(row[1]))


def _scan(listing: Listing) -> tuple[str, Parameters]:
    """Returns the part that comes in order from the index whose filter takes the fewest jobs."""
    parameters: Parameters = {}
    whose = "all" if listing.owner is None else "owner"
    if listing.tags:
        parameters["tag0"] = listing.tags[0]
        source = (
            f"SELECT create_time, job AS id FROM job_tags INDEXED BY job_tags_of_{whose} WHERE tag = :tag0"
        )
        selects = [source + _range(listing, "job", parameters)]
    elif listing.program_id:
        index = f"jobs_of_{whose}_by_program"
        selects = [_select(listing, index, " AND program_id = :program_id", parameters)]
        parameters["program_id"] = listing.program_id
    elif 0 < len(listing.states) <= _MOST_MERGED:
        index = f"jobs_of_{whose}_by_state"
        selects = [
            _select(listing, index, f" AND state = {int(state)}", parameters) for state in listing.states
        ]
    else:
        selects = [_select(listing, f"jobs_of_{whose}", "", parameters)]
    direction = "DESC" if listing.descending else "ASC"
    return f"{' UNION ALL '.join(selects)} ORDER BY 1 {direction}, 2 {direction}", parameters


def _select(listing: Listing, index: str, condition: str, parameters: Parameters) -> str:
    return (
        f"SELECT {_PLACE}, {_FILTERED} FROM jobs INDEXED BY {index}"
        f" WHERE {KEPT}{condition}{_range(listing, 'id', parameters)}"
    )


def _range(listing: Listing, identity: str, parameters: Parameters) -> str:
    """Returns the conditions on owner and create time, and on the place where the page before ended."""
    conditions = ""
    if listing.owner is not None:
        parameters["owner"] = listing.owner
        conditions += " AND owner = :owner"
    # A place says more than the time on its side, and an index is searched by one of the two.
    if listing.created_after is not None and (listing.after is None or listing.descending):
        parameters["created_after"] = listing.created_after
        conditions += " AND create_time >= :created_after"
    if listing.created_before is not None and (listing.after is None or not listing.descending):
        parameters["created_before"] = listing.created_before
        conditions += " AND create_time < :created_before"
    if listing.after is not None:
        parameters["time"], parameters["id"] = listing.after
        comparison = "<" if listing.descending else ">"
        conditions += f" AND (create_time, {identity}) {comparison} (:time, :id)"
    return conditions


def _filters(listing: Listing, table: str, parameters: Parameters) -> Iterator[str]:
    if listing.program_id:
        parameters["program_id"] = listing.program_id
        yield f"{table}.program_id = :program_id"
    if listing.states:
        yield f"{table}.state IN ({','.join(str(int(state)) for state in listing.states)})"
    if listing.backend_name:
        parameters["backend_name"] = listing.backend_name
        yield f"{table}.backend_name = :backend_name"
    for number, tag in enumerate(listing.tags[1:], 1):
        parameters[f"tag{number}"] = tag
        yield f"EXISTS (SELECT 1 FROM job_tags WHERE job = scanned.id AND tag = :tag{number})"
