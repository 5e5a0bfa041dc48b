"""Which blobs there are, who has written them, and which jobs refer to them; digests are 32 bytes."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from aerlock_gateway.store.job_tables import KEPT

INPUT: Final = 1
"""The role of a blob that a job's inputs refer to."""
RESULT: Final = 2
"""The role of a blob that a job's results refer to."""

SMALLEST_CHARGE: Final = 1 << 16
"""An upload counts with that many bytes at least, so that many small ones are bounded too."""

_UNREFERRED = (
    "NOT EXISTS (SELECT 1 FROM job_blobs WHERE job_blobs.sha256 = blobs.sha256)"
    " AND NOT EXISTS (SELECT 1 FROM uploads WHERE uploads.sha256 = blobs.sha256 AND is_whole)"
)

# The statements are put together from constants of this file.
# ruff: noqa: S608


def visible_size(
    connection: sqlite3.Connection, account: str, sha256: bytes, of_any_job: bool = False
) -> int | None:
    """Returns the size of a blob that the account has written or a job of its refers to, or None.

    With ``of_any_job`` the job may be another account's.
    """
    row = connection.execute(
        "SELECT size FROM blobs WHERE sha256 = ?1"
        " AND (EXISTS (SELECT 1 FROM uploads WHERE account = ?2 AND sha256 = ?1 AND is_whole)"
        " OR EXISTS (SELECT 1 FROM job_blobs CROSS JOIN jobs ON jobs.id = job"
        f" WHERE sha256 = ?1 AND {KEPT} AND (?3 OR job_blobs.owner = ?2)))",
        (sha256, account, of_any_job),
    ).fetchone()
    return int(row[0]) if row else None


def insert(connection: sqlite3.Connection, sha256: bytes, size: int, now: int) -> None:
    """Says that a blob is there; ``now`` is in nanoseconds since 1970."""
    connection.execute(
        "INSERT OR IGNORE INTO blobs (sha256, size, create_time) VALUES (?, ?, ?)", (sha256, size, now)
    )


def exists(connection: sqlite3.Connection, sha256: bytes) -> bool:
    """Returns whether a blob is there, whoever may see it."""
    return connection.execute("SELECT 1 FROM blobs WHERE sha256 = ?", (sha256,)).fetchone() is not None


def insert_upload(connection: sqlite3.Connection, account: str, sha256: bytes, size: int, now: int) -> None:
    """Says that an account has written a blob whole, which makes it visible to it."""
    connection.execute(
        "INSERT OR REPLACE INTO uploads (account, sha256, size, is_whole, time) VALUES (?, ?, ?, 1, ?)",
        (account, sha256, size, now),
    )


def insert_partial_upload(
    connection: sqlite3.Connection, account: str, sha256: bytes, size: int, now: int
) -> None:
    """Says how much is kept of a blob that an account has not written whole."""
    connection.execute(
        "INSERT INTO uploads (account, sha256, size, is_whole, time) VALUES (?, ?, ?, 0, ?)"
        " ON CONFLICT DO UPDATE SET size = excluded.size, time = excluded.time WHERE NOT is_whole",
        (account, sha256, size, now),
    )


def delete_upload(connection: sqlite3.Connection, account: str, sha256: bytes) -> None:
    """Forgets that an account has written something; harmless where it has not."""
    connection.execute("DELETE FROM uploads WHERE account = ? AND sha256 = ?", (account, sha256))


def is_upload_older(connection: sqlite3.Connection, account: str, sha256: bytes, before: int) -> bool:
    """Returns whether the account has an upload of this blob from before ``before``."""
    row = connection.execute(
        "SELECT 1 FROM uploads WHERE account = ? AND sha256 = ? AND time < ?", (account, sha256, before)
    ).fetchone()
    return row is not None


def touch_uploads(connection: sqlite3.Connection, account: str, digests: Iterable[bytes], now: int) -> None:
    """Makes uploads young again."""
    connection.executemany(
        "UPDATE uploads SET time = ? WHERE account = ? AND sha256 = ?",
        [(now, account, sha256) for sha256 in digests],
    )


def uploaded_bytes(connection: sqlite3.Connection, account: str, but: Sequence[bytes]) -> int:
    """Returns what the uploads of an account count, except those named."""
    (total,) = connection.execute(
        f"SELECT coalesce(sum(max(size, {SMALLEST_CHARGE})), 0) FROM uploads"
        f" WHERE account = ? AND sha256 NOT IN ({','.join('?' * len(but))})",
        (account, *but),
    ).fetchone()
    return int(total)


def refer(connection: sqlite3.Connection, owner: str, job: int, digests: Iterable[bytes], role: int) -> None:
    """Writes down that a job of ``owner`` refers to blobs that are there; their uploads end with that."""
    for sha256 in digests:
        inserted = connection.execute(
            "INSERT OR IGNORE INTO job_blobs (owner, sha256, job, role) VALUES (?, ?, ?, ?)",
            (owner, sha256, job, role),
        )
        if inserted.rowcount:
            connection.execute(
                "UPDATE jobs SET stored_bytes = stored_bytes + (SELECT size FROM blobs WHERE sha256 = ?)"
                " WHERE id = ?",
                (sha256, job),
            )
        delete_upload(connection, owner, sha256)


def of_job(connection: sqlite3.Connection, job: int, role: int) -> list[tuple[bytes, int]]:
    """Returns digest and size of the blobs that a job refers to in a role."""
    return connection.execute(
        "SELECT sha256, size FROM job_blobs JOIN blobs USING (sha256) WHERE job = ? AND role = ?", (job, role)
    ).fetchall()


def expire_uploads(connection: sqlite3.Connection, before: int, after: int) -> None:
    """Forgets the uploads from outside of a time, which is in nanoseconds since 1970.

    Those from after it were made while the clock was wrong, and would stay until it is right.
    """
    connection.execute("DELETE FROM uploads WHERE time < ? OR time > ?", (before, after))


def unreferred(connection: sqlite3.Connection) -> list[bytes]:
    """Returns the digests of the blobs that no upload and no job refers to."""
    return [sha256 for (sha256,) in connection.execute(f"SELECT sha256 FROM blobs WHERE {_UNREFERRED}")]


def delete_unreferred(connection: sqlite3.Connection, sha256: bytes) -> bool:
    """Deletes a blob's row unless something refers to it by now; returns whether there is none any more."""
    connection.execute(f"DELETE FROM blobs WHERE sha256 = ? AND {_UNREFERRED}", (sha256,))
    return not exists(connection, sha256)
