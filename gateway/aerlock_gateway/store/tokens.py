"""Tokens of accounts: their digests, and never the tokens themselves."""

import sqlite3
from dataclasses import dataclass

_COLUMNS = "rowid, token_id, account, description, create_time, expire_time"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token; ``id`` orders the tokens by age, times are nanoseconds since 1970."""

    id: int
    token_id: str
    account: str
    description: str
    create_time: int
    expire_time: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a token lets in."""

    token_id: str
    expire_time: int
    account: str
    role: str
    disabled: bool


def find_holder(connection: sqlite3.Connection, sha256: bytes) -> Holder | None:
    """Returns who holds the token with this digest, or None."""
    row = connection.execute(
        "SELECT token_id, expire_time, account, role, disabled FROM tokens JOIN accounts ON name = account"
        " WHERE sha256 = ?",
        (sha256,),
    ).fetchone()
    if row is None:
        return None
    token_id, expire_time, account, role, disabled = row
    return Holder(token_id, expire_time, account, role, bool(disabled))


def find(connection: sqlite3.Connection, token_id: str) -> TokenRow | None:
    """Returns a token by its id, or None."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM tokens WHERE token_id = ?", (token_id,)).fetchone()  # noqa: S608
    return TokenRow(*row) if row else None


def page(connection: sqlite3.Connection, account: str, after: int, limit: int) -> list[TokenRow]:
    """Returns the tokens of an account with an id above ``after``, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM tokens WHERE account = ? AND rowid > ? ORDER BY rowid LIMIT ?",  # noqa: S608
        (account, after, limit),
    )
    return [TokenRow(*row) for row in rows]


def insert(
    connection: sqlite3.Connection,
    sha256: bytes,
    token_id: str,
    account: str,
    description: str,
    now: int,
    expire_time: int,
) -> TokenRow:
    """Stores a token's digest and returns its row."""
    cursor = connection.execute(
        "INSERT INTO tokens (sha256, token_id, account, description, create_time, expire_time)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (sha256, token_id, account, description, now, expire_time),
    )
    assert cursor.lastrowid is not None  # noqa: S101
    return TokenRow(cursor.lastrowid, token_id, account, description, now, expire_time)


def delete(connection: sqlite3.Connection, token_id: str) -> None:
    """Forgets a token."""
    connection.execute("DELETE FROM tokens WHERE token_id = ?", (token_id,))


def delete_expired(connection: sqlite3.Connection, account: str, now: int) -> None:
    """Forgets the tokens of an account that let nobody in any more."""
    connection.execute("DELETE FROM tokens WHERE account = ? AND expire_time <= ?", (account, now))


def count(connection: sqlite3.Connection, account: str) -> int:
    """Returns how many tokens an account has."""
    (number,) = connection.execute("SELECT count(*) FROM tokens WHERE account = ?", (account,)).fetchone()
    return int(number)
