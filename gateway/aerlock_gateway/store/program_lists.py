"""Lists of programs: what one account sees, filtered and in order, page by page."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aerlock_gateway.store.catalog_tables import EXISTING, PUBLIC

Key = str | int
Parameters = dict[str, object]

_ABOVE_ANY_CHARACTER: Final = "\U0010ffff"
# CROSS JOIN keeps the order: the grants of an account are few beside all programs. In an order
# other than that of ids they are sorted for each page.
_GRANTED: Final = (
    "program_grants g CROSS JOIN programs p ON p.program_id = g.program_id"
    f" WHERE g.account = :account AND {EXISTING} AND p.visibility <> 2 AND p.owner <> :account"
)


@dataclass(frozen=True, slots=True)
class Listing:
    """What to list: for whom, in which order, and behind which program."""

    account: str
    sees_all: bool
    order: str
    """One of `catalog_tables.ORDERS`."""
    descending: bool
    name_prefix: str = ""
    owner: str = ""
    visibility: int = 0
    text: str = ""
    after: tuple[Key, str] | None = None
    """Order column and id of the last program of the page before."""


def scan(connection: sqlite3.Connection, listing: Listing) -> Iterator[tuple[Key, str, bool]]:
    """Yields the programs that the account sees, in order: key, id, and whether the filter takes them.

    Each is read when it is asked for, so that a caller that stops pays for no more.
    """
    rows = connection.execute(*statement(listing))
    for key, program_id, matches in rows:
        yield key, program_id, bool(matches)


def statement(listing: Listing) -> tuple[str, Parameters]:
    """Returns the SQL of `scan` with its parameters; every part of it comes in order from an index."""
    parameters: Parameters = {"account": listing.account}
    if listing.sees_all:
        sources = [("p", f"programs p WHERE {EXISTING}")]
    else:
        sources = [
            ("p", f"programs p WHERE {EXISTING} AND owner = :account"),
            ("p", f"programs p WHERE {PUBLIC} AND owner <> :account"),
            ("g", _GRANTED),
        ]
    matches = _matches(listing, parameters)
    selects = [_select(listing, table, source, matches, parameters) for table, source in sources]
    direction = "DESC" if listing.descending else "ASC"
    order = f"1 {direction}" if listing.order == "program_id" else f"1 {direction}, 2 {direction}"
    return f"{' UNION ALL '.join(selects)} ORDER BY {order}", parameters


def _select(listing: Listing, table: str, source: str, matches: str, parameters: Parameters) -> str:
    """Returns one part of the list, whose ids are those of ``table``."""
    program_id = f"{table}.program_id"
    key = program_id if listing.order == "program_id" else f"p.{listing.order}"
    condition = ""
    if listing.order == "name" and listing.name_prefix:
        parameters["first"] = listing.name_prefix
        parameters["last"] = listing.name_prefix + _ABOVE_ANY_CHARACTER
        condition = " AND p.name >= :first AND p.name < :last"
    if listing.after is not None:
        parameters["key"], parameters["id"] = listing.after
        comparison = "<" if listing.descending else ">"
        condition += f" AND ({key}, {program_id}) {comparison} (:key, :id)"
    return f"SELECT {key}, {program_id}, {matches} FROM {source}{condition}"  # noqa: S608


def _matches(listing: Listing, parameters: Parameters) -> str:
    conditions = ["1"]
    if listing.name_prefix:
        parameters["prefix"], parameters["length"] = listing.name_prefix, len(listing.name_prefix)
        conditions.append("substr(p.name, 1, :length) = :prefix COLLATE NOCASE")
    if listing.owner:
        parameters["owner"] = listing.owner
        conditions.append("p.owner = :owner")
    if listing.visibility:
        parameters["visibility"] = listing.visibility
        conditions.append("p.visibility = :visibility")
    if listing.text:
        parameters["text"] = listing.text
        conditions.append("(instr(lower(p.name), lower(:text)) OR instr(lower(p.description), lower(:text)))")
    return " AND ".join(conditions)
