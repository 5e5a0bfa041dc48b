"""Programs and their revisions."""

import sqlite3
from dataclasses import dataclass

_COLUMNS = (
    "p.program_id, r.revision, p.revision, p.owner, p.visibility, p.create_time, p.update_time,"
    " r.sha256, r.signature, r.metadata"
)

LARGEST_PAGE = 3 * 1024 * 1024
"""Bytes of metadata in one page: clients take messages of 4 MiB."""


@dataclass(frozen=True, slots=True)
class ProgramRow:
    """One revision of a program, without its source."""

    program_id: str
    revision: int
    newest_revision: int
    owner: str
    visibility: int
    create_time: int
    update_time: int
    sha256: bytes
    signature: str
    metadata: bytes


@dataclass(frozen=True, slots=True)
class Revision:
    """What a new revision brings."""

    sha256: bytes
    signature: str
    metadata: bytes
    source: bytes


def find(connection: sqlite3.Connection, program_id: str, revision: int = 0) -> ProgramRow | None:
    """Returns a revision of a program, the newest where ``revision`` is 0, or None."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM programs p JOIN program_revisions r ON r.program_id = p.program_id"  # noqa: S608
        " AND r.revision = CASE ? WHEN 0 THEN p.revision ELSE ? END WHERE p.program_id = ?",
        (revision, revision, program_id),
    ).fetchone()
    return ProgramRow(*row) if row else None


def visible_page(
    connection: sqlite3.Connection, owner: str, public: int, after: str, limit: int
) -> tuple[list[ProgramRow], bool]:
    """Returns the newest revisions of the programs of ``owner`` and of visibility ``public``, by id.

    They are at most ``limit`` and, but for a single one, `LARGEST_PAGE`; the second
    item says whether more follow.
    """
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM programs p JOIN program_revisions r ON r.program_id = p.program_id"  # noqa: S608
        " AND r.revision = p.revision WHERE p.program_id > ? AND (p.owner = ? OR p.visibility = ?)"
        " ORDER BY p.program_id LIMIT ?",
        (after, owner, public, limit + 1),
    )
    page: list[ProgramRow] = []
    size = 0
    for row in (ProgramRow(*values) for values in rows):
        size += len(row.metadata)
        if page and (len(page) == limit or size > LARGEST_PAGE):
            return page, True
        page.append(row)
    return page, False


def source(connection: sqlite3.Connection, program_id: str, revision: int) -> bytes:
    """Returns the encoded ProgramSource of a revision that exists."""
    (encoded,) = connection.execute(
        "SELECT source FROM program_revisions WHERE program_id = ? AND revision = ?", (program_id, revision)
    ).fetchone()
    return bytes(encoded)


def insert(
    connection: sqlite3.Connection, program_id: str, owner: str, visibility: int, now: int, revision: Revision
) -> None:
    """Creates a program with its revision 1."""
    connection.execute(
        "INSERT INTO programs (program_id, owner, visibility, revision, create_time, update_time)"
        " VALUES (?, ?, ?, 1, ?, ?)",
        (program_id, owner, visibility, now, now),
    )
    _insert_revision(connection, program_id, 1, revision)


def add_revision(
    connection: sqlite3.Connection, program_id: str, number: int, now: int, revision: Revision
) -> None:
    """Gives a program its revision ``number``, the newest."""
    _insert_revision(connection, program_id, number, revision)
    connection.execute(
        "UPDATE programs SET revision = ?, update_time = ? WHERE program_id = ?", (number, now, program_id)
    )


def _insert_revision(
    connection: sqlite3.Connection, program_id: str, number: int, revision: Revision
) -> None:
    connection.execute(
        "INSERT INTO program_revisions (program_id, revision, sha256, signature, metadata, source)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (program_id, number, revision.sha256, revision.signature, revision.metadata, revision.source),
    )
