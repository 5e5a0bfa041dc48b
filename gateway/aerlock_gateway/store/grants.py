"""What accounts were granted of programs that are not their own."""

import sqlite3


def level(connection: sqlite3.Connection, program_id: str, account: str) -> int:
    """Returns the level of an account's grant; 0 where it has none."""
    row = connection.execute(
        "SELECT level FROM program_grants WHERE program_id = ? AND account = ?", (program_id, account)
    ).fetchone()
    return int(row[0]) if row else 0


def count(connection: sqlite3.Connection, program_id: str) -> int:
    """Returns to how many accounts a program is granted."""
    (number,) = connection.execute(
        "SELECT count(*) FROM program_grants WHERE program_id = ?", (program_id,)
    ).fetchone()
    return int(number)


def page(connection: sqlite3.Connection, program_id: str, after: str, limit: int) -> list[tuple[str, int]]:
    """Returns at most ``limit`` accounts behind ``after`` with their levels, by name."""
    return connection.execute(
        "SELECT account, level FROM program_grants WHERE program_id = ? AND account > ?"
        " ORDER BY account LIMIT ?",
        (program_id, after, limit),
    ).fetchall()


def put(connection: sqlite3.Connection, program_id: str, account: str, new_level: int) -> None:
    """Gives an account that exists a level, in place of the one that it had."""
    connection.execute(
        "INSERT INTO program_grants (program_id, account, level) VALUES (?, ?, ?)"
        " ON CONFLICT (program_id, account) DO UPDATE SET level = excluded.level",
        (program_id, account, new_level),
    )


def delete(connection: sqlite3.Connection, program_id: str, account: str) -> None:
    """Takes what an account was granted."""
    connection.execute(
        "DELETE FROM program_grants WHERE program_id = ? AND account = ?", (program_id, account)
    )
