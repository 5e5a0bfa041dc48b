"""Programs and their revisions."""

import sqlite3
from dataclasses import dataclass
from typing import Final

_COLUMNS: Final = (
    "p.program_id, r.revision, p.revision, p.owner, p.visibility, p.create_time, p.update_time,"
    " r.create_time, r.sha256, r.signature, r.metadata"
)
_FROM: Final = "FROM programs p JOIN program_revisions r ON r.program_id = p.program_id"

LARGEST_PAGE: Final = 3 * 1024 * 1024
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
    revision_time: int
    sha256: bytes
    signature: str
    metadata: bytes


@dataclass(frozen=True, slots=True)
class Revision:
    """What a new revision brings; name and description are in the metadata, too."""

    sha256: bytes
    signature: str
    metadata: bytes
    source: bytes
    source_sha256: bytes
    name: str
    description: str


def find(connection: sqlite3.Connection, program_id: str, revision: int = 0) -> ProgramRow | None:
    """Returns a revision of a program that is not deleted, the newest where ``revision`` is 0, or None."""
    row = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} AND r.revision = CASE ? WHEN 0 THEN p.revision ELSE ? END"
        " WHERE p.program_id = ? AND p.delete_time IS NULL",
        (revision, revision, program_id),
    ).fetchone()
    return ProgramRow(*row) if row else None


def is_taken(connection: sqlite3.Connection, program_id: str) -> bool:
    """Returns whether there is, or has been, a program of this id."""
    row = connection.execute("SELECT 1 FROM programs WHERE program_id = ?", (program_id,)).fetchone()
    return row is not None


def revisions(
    connection: sqlite3.Connection, program_id: str, before: int, limit: int
) -> tuple[list[ProgramRow], bool]:
    """Returns the revisions older than ``before``, newest first, and whether more follow.

    They are at most ``limit`` and, but for a single one, `LARGEST_PAGE`.
    """
    rows = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} AND r.revision < ? WHERE p.program_id = ?"
        " ORDER BY r.revision DESC LIMIT ?",
        (before, program_id, limit + 1),
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
    """Returns the encoded ProgramSource of a revision that exists, also of a deleted program."""
    (encoded,) = connection.execute(
        "SELECT s.source FROM program_revisions r JOIN program_sources s ON s.sha256 = r.source_sha256"
        " WHERE r.program_id = ? AND r.revision = ?",
        (program_id, revision),
    ).fetchone()
    return bytes(encoded)


def metadata(connection: sqlite3.Connection, program_id: str, revision: int) -> bytes:
    """Returns the encoded metadata of a revision that exists, also of a deleted program."""
    (encoded,) = connection.execute(
        "SELECT metadata FROM program_revisions WHERE program_id = ? AND revision = ?", (program_id, revision)
    ).fetchone()
    return bytes(encoded)


def insert(
    connection: sqlite3.Connection, program_id: str, owner: str, visibility: int, now: int, revision: Revision
) -> None:
    """Creates a program with its revision 1."""
    connection.execute(
        "INSERT INTO programs"
        " (program_id, owner, visibility, revision, create_time, update_time, name, description)"
        " VALUES (?, ?, ?, 1, ?, ?, ?, ?)",
        (program_id, owner, visibility, now, now, revision.name, revision.description),
    )
    _insert_revision(connection, program_id, 1, now, revision)


def add_revision(
    connection: sqlite3.Connection, program_id: str, number: int, now: int, revision: Revision
) -> None:
    """Gives a program its revision ``number``, the newest."""
    _insert_revision(connection, program_id, number, now, revision)
    connection.execute(
        "UPDATE programs SET revision = ?, update_time = ?, name = ?, description = ? WHERE program_id = ?",
        (number, now, revision.name, revision.description, program_id),
    )


def set_visibility(connection: sqlite3.Connection, program_id: str, visibility: int, now: int) -> None:
    """Changes who sees a program."""
    connection.execute(
        "UPDATE programs SET visibility = ?, update_time = ? WHERE program_id = ?",
        (visibility, now, program_id),
    )


def mark_deleted(connection: sqlite3.Connection, program_id: str, now: int) -> None:
    """Takes a program from the catalog; what its jobs refer to stays."""
    connection.execute("UPDATE programs SET delete_time = ? WHERE program_id = ?", (now, program_id))
    connection.execute("DELETE FROM program_grants WHERE program_id = ?", (program_id,))


def _insert_revision(
    connection: sqlite3.Connection, program_id: str, number: int, now: int, revision: Revision
) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO program_sources (sha256, source) VALUES (?, ?)",
        (revision.source_sha256, revision.source),
    )
    connection.execute(
        "INSERT INTO program_revisions"
        " (program_id, revision, create_time, sha256, source_sha256, signature, metadata)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            program_id,
            number,
            now,
            revision.sha256,
            revision.source_sha256,
            revision.signature,
            revision.metadata,
        ),
    )
