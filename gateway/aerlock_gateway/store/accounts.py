"""Accounts, and the limits on their jobs."""

import sqlite3
from dataclasses import dataclass

_COLUMNS = "name, role, disabled, max_queued_jobs, max_running_jobs, create_time"


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account; a limit that is None is that of the settings."""

    name: str
    role: str
    disabled: bool
    max_queued_jobs: int | None
    max_running_jobs: int | None
    create_time: int


def find(connection: sqlite3.Connection, name: str) -> AccountRow | None:
    """Returns an account, or None."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM accounts WHERE name = ?", (name,)).fetchone()  # noqa: S608
    return _to_row(row) if row else None


def page(connection: sqlite3.Connection, after: str, limit: int) -> list[AccountRow]:
    """Returns the accounts with a name above ``after``, by name."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM accounts WHERE name > ? ORDER BY name LIMIT ?",  # noqa: S608
        (after, limit),
    )
    return [_to_row(row) for row in rows]


def names_that_can_act(connection: sqlite3.Connection, role: str) -> list[str]:
    """Returns the accounts of a role that are not disabled, oldest first."""
    rows = connection.execute(
        "SELECT name FROM accounts WHERE role = ? AND NOT disabled ORDER BY create_time, name", (role,)
    )
    return [name for (name,) in rows]


def insert(connection: sqlite3.Connection, row: AccountRow) -> None:
    """Creates an account; raises sqlite3.IntegrityError where the name is taken."""
    connection.execute(
        f"INSERT INTO accounts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
        (
            *(row.name, row.role, row.disabled),
            *(row.max_queued_jobs, row.max_running_jobs, row.create_time),
        ),
    )


def update(connection: sqlite3.Connection, row: AccountRow) -> None:
    """Writes all of an account but its name and create time."""
    connection.execute(
        "UPDATE accounts SET role = ?, disabled = ?, max_queued_jobs = ?, max_running_jobs = ?"
        " WHERE name = ?",
        (row.role, row.disabled, row.max_queued_jobs, row.max_running_jobs, row.name),
    )


def _to_row(row: tuple[str, str, int, int | None, int | None, int]) -> AccountRow:
    name, role, disabled, queued, running, create_time = row
    return AccountRow(name, role, bool(disabled), queued, running, create_time)
