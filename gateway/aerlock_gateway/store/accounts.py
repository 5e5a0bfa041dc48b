"""Accounts, their tokens and the audit of what they did."""

import sqlite3


def account_names(connection: sqlite3.Connection) -> list[str]:
    """Returns every account, oldest first."""
    return [name for (name,) in connection.execute("SELECT name FROM accounts ORDER BY create_time, name")]


def insert_account(connection: sqlite3.Connection, name: str, role: str, now: int) -> None:
    """Creates an account; ``now`` is in nanoseconds since 1970."""
    connection.execute("INSERT INTO accounts (name, role, create_time) VALUES (?, ?, ?)", (name, role, now))


def insert_token(
    connection: sqlite3.Connection, sha256: bytes, account: str, now: int, expire_time: int
) -> None:
    """Stores a token's digest."""
    connection.execute(
        "INSERT INTO tokens (sha256, account, create_time, expire_time) VALUES (?, ?, ?, ?)",
        (sha256, account, now, expire_time),
    )


def find_token(connection: sqlite3.Connection, sha256: bytes) -> tuple[str, str, int] | None:
    """Returns account, role and expire time of a token, or None."""
    row: tuple[str, str, int] | None = connection.execute(
        "SELECT account, role, expire_time FROM tokens JOIN accounts ON name = account WHERE sha256 = ?",
        (sha256,),
    ).fetchone()
    return row


def insert_audit(connection: sqlite3.Connection, now: int, account: str, action: str, subject: str) -> None:
    """Writes down who did what to what."""
    connection.execute(
        "INSERT INTO audit (time, account, action, subject) VALUES (?, ?, ?, ?)",
        (now, account, action, subject),
    )
