"""What was answered to requests that carry a request_id, so that a retry gets the same."""

import sqlite3


def find(
    connection: sqlite3.Connection, account: str, method: str, request_id: str
) -> tuple[bytes, str] | None:
    """Returns the SHA-256 of the body and the resource that the first request made, or None."""
    row: tuple[bytes, str] | None = connection.execute(
        "SELECT body_sha256, resource FROM request_ids WHERE account = ? AND method = ? AND request_id = ?",
        (account, method, request_id),
    ).fetchone()
    return row


def insert(
    connection: sqlite3.Connection,
    account: str,
    method: str,
    request_id: str,
    body: bytes,
    resource: str,
    now: int,
) -> None:
    """Remembers a request; ``body`` is the SHA-256 of it."""
    connection.execute(
        "INSERT INTO request_ids (account, method, request_id, body_sha256, resource, create_time)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (account, method, request_id, body, resource, now),
    )


def delete_older(connection: sqlite3.Connection, time: int, limit: int) -> None:
    """Forgets at most ``limit`` of the requests made before ``time``."""
    connection.execute(
        "DELETE FROM request_ids WHERE rowid IN"
        " (SELECT rowid FROM request_ids WHERE create_time < ? ORDER BY create_time LIMIT ?)",
        (time, limit),
    )
