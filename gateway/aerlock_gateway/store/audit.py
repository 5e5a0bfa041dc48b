"""The audit: who changed what, in rows that are only ever appended."""

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One change; ``time`` is in nanoseconds since 1970, ``account`` is "" for the server's operator."""

    id: int
    time: int
    account: str
    action: str
    subject: str
    detail: str


def insert(
    connection: sqlite3.Connection, now: int, account: str, action: str, subject: str, detail: str = ""
) -> None:
    """Writes down who did what to what, in the transaction that does it."""
    connection.execute(
        "INSERT INTO audit (time, account, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
        (now, account, action, subject, detail),
    )


def page(
    connection: sqlite3.Connection, before: int, limit: int, account: str = "", subject: str = ""
) -> list[AuditRow]:
    """Returns the rows with an id below ``before``, newest first; "" filters nothing."""
    conditions, values = "id < ?", [before]
    for column, value in (("account", account), ("subject", subject)):
        if value:
            conditions += f" AND {column} = ?"
            values.append(value)  # type: ignore[arg-type]
    rows = connection.execute(
        f"SELECT id, time, account, action, subject, detail FROM audit WHERE {conditions}"  # noqa: S608
        " ORDER BY id DESC LIMIT ?",
        (*values, limit),
    )
    return [AuditRow(*row) for row in rows]
