"""The database's tables and how an older database becomes a newer one."""

import sqlite3
from contextlib import closing

from sqlite_utils import Database, Migrations

from aerlock_gateway.store import catalog_tables, job_tables

_migrations = Migrations("aerlock")


class SchemaTooNewError(Exception):
    """The database was written by a newer version of Aerlock."""


@_migrations(transactional=False)
def incremental_vacuum(database: Database) -> None:
    """Lets deleted jobs give their pages back in small steps; VACUUM applies it to the file."""
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("VACUUM")


@_migrations()
def first_tables(database: Database) -> None:
    """Creates the tables of version 0.1. Times are nanoseconds since 1970, in UTC."""
    for statement in _FIRST_TABLES:
        database.execute(statement)


_FIRST_TABLES = (
    "CREATE TABLE accounts (name TEXT PRIMARY KEY, role TEXT NOT NULL, create_time INTEGER NOT NULL) STRICT",
    # A token is shown once; what is kept cannot be turned back into it.
    """
    CREATE TABLE tokens (
        sha256 BLOB PRIMARY KEY,
        account TEXT NOT NULL REFERENCES accounts(name),
        create_time INTEGER NOT NULL,
        expire_time INTEGER NOT NULL
    ) STRICT
    """,
    # owner is "" for a program that ships with the server.
    """
    CREATE TABLE programs (
        program_id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        visibility INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        create_time INTEGER NOT NULL,
        update_time INTEGER NOT NULL
    ) STRICT
    """,
    # A revision never changes. metadata is a Program message, source a ProgramSource
    # message, signature what the checker found out about main, as JSON; the large column
    # comes last, so that a listing does not read its pages.
    """
    CREATE TABLE program_revisions (
        program_id TEXT NOT NULL REFERENCES programs(program_id),
        revision INTEGER NOT NULL,
        sha256 BLOB NOT NULL,
        signature TEXT NOT NULL,
        metadata BLOB NOT NULL,
        source BLOB NOT NULL,
        PRIMARY KEY (program_id, revision)
    ) STRICT
    """,
    # A projection of the job's events, and last_offset: how much of the executor's
    # spool is in them.
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        program_id TEXT NOT NULL,
        program_revision INTEGER NOT NULL,
        backend_name TEXT NOT NULL,
        state INTEGER NOT NULL,
        last_sequence INTEGER NOT NULL,
        last_offset INTEGER NOT NULL,
        isolation_tier TEXT NOT NULL,
        create_time INTEGER NOT NULL,
        start_time INTEGER,
        first_output_time INTEGER,
        end_time INTEGER,
        options BLOB NOT NULL,
        tags TEXT NOT NULL,
        failure BLOB,
        usage BLOB
    ) STRICT
    """,
    "CREATE INDEX jobs_of_owner ON jobs (owner, id)",
    # 1, 2 and 3 are QUEUED, RUNNING and CANCELLING: the jobs that still need something.
    "CREATE INDEX jobs_alive ON jobs (state, id) WHERE state <= 3",
    # Apart from the row of the job, which every commit rewrites.
    "CREATE TABLE job_inputs (job INTEGER PRIMARY KEY REFERENCES jobs(id), inputs BLOB NOT NULL) STRICT",
    # AUTOINCREMENT: a cursor stays valid when the newest events are deleted.
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        job INTEGER NOT NULL REFERENCES jobs(id),
        sequence INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        encoded BLOB NOT NULL,
        UNIQUE (job, sequence)
    ) STRICT
    """,
    """
    CREATE TABLE request_ids (
        account TEXT NOT NULL,
        method TEXT NOT NULL,
        request_id TEXT NOT NULL,
        body_sha256 BLOB NOT NULL,
        resource TEXT NOT NULL,
        create_time INTEGER NOT NULL,
        PRIMARY KEY (account, method, request_id)
    ) STRICT
    """,
    "CREATE INDEX request_ids_by_age ON request_ids (create_time)",
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time INTEGER NOT NULL,
        account TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL
    ) STRICT
    """,
)


@_migrations()
def blobs(database: Database) -> None:
    """Creates the tables of large values; the values themselves are files."""
    for statement in _BLOBS:
        database.execute(statement)


_BLOBS = (
    """
    CREATE TABLE blobs (
        sha256 BLOB PRIMARY KEY,
        size INTEGER NOT NULL,
        create_time INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # What an account has written and no job of its refers to yet: with is_whole a blob
    # that it may see, else how much is kept of an interrupted writing.
    """
    CREATE TABLE uploads (
        account TEXT NOT NULL,
        sha256 BLOB NOT NULL,
        size INTEGER NOT NULL,
        is_whole INTEGER NOT NULL,
        time INTEGER NOT NULL,
        PRIMARY KEY (account, sha256)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX uploads_of_blob ON uploads (sha256)",
    # owner is the job's, repeated here: whether an account may see a blob must not take
    # longer where many others refer to it.
    """
    CREATE TABLE job_blobs (
        owner TEXT NOT NULL,
        sha256 BLOB NOT NULL REFERENCES blobs(sha256),
        job INTEGER NOT NULL REFERENCES jobs(id),
        role INTEGER NOT NULL,
        PRIMARY KEY (owner, sha256, job, role)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX job_blobs_of_job ON job_blobs (job, role)",
    "CREATE INDEX job_blobs_of_blob ON job_blobs (sha256)",
)


@_migrations()
def accounts_and_audit(database: Database) -> None:
    """Lets accounts be disabled and limited, tokens be listed and revoked, and the audit be read."""
    for statement in _ACCOUNTS_AND_AUDIT:
        database.execute(statement)


_ACCOUNTS_AND_AUDIT = (
    "ALTER TABLE accounts ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0",
    # NULL: as the settings say.
    "ALTER TABLE accounts ADD COLUMN max_queued_jobs INTEGER",
    "ALTER TABLE accounts ADD COLUMN max_running_jobs INTEGER",
    "ALTER TABLE tokens ADD COLUMN token_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE tokens ADD COLUMN description TEXT NOT NULL DEFAULT ''",
    "UPDATE tokens SET token_id = lower(hex(randomblob(8)))",
    "CREATE UNIQUE INDEX tokens_by_id ON tokens (token_id)",
    "CREATE INDEX tokens_of_account ON tokens (account)",
    "ALTER TABLE audit ADD COLUMN detail TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX audit_of_account ON audit (account, id)",
    "CREATE INDEX audit_of_subject ON audit (subject, id)",
    "CREATE TRIGGER audit_rows_stay BEFORE DELETE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_rows_stay_as_they_are BEFORE UPDATE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    # INSERT OR REPLACE deletes without the trigger of deletions.
    "CREATE TRIGGER audit_rows_are_not_replaced BEFORE INSERT ON audit"
    " WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)"
    " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    # How many jobs of an account wait and run.
    "CREATE INDEX jobs_alive_of_owner ON jobs (owner, state) WHERE state <= 3",
)


@_migrations()
def program_catalog(database: Database) -> None:
    """Programs can be updated, deleted and granted, and are listed by name and time."""
    catalog_tables.create(database)


@_migrations()
def job_lists(database: Database) -> None:
    """Jobs are listed by program, state, tags and time, take turns, and can be deleted."""
    job_tables.create(database)


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the database to this version's schema.

    Raises `SchemaTooNewError` where a newer version of Aerlock has been at it.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    newest = _newest_version()
    if version > newest:
        raise SchemaTooNewError(
            f"the database has schema version {version} and this version of Aerlock knows"
            f" schema version {newest}: run the newer Aerlock that wrote it, or restore a backup"
            " from before the upgrade"
        )
    _migrations.apply(Database(connection))
    connection.execute(f"PRAGMA user_version = {newest}")


def _newest_version() -> int:
    """Returns how many migrations there are; a file keeps it as its user_version."""
    with closing(sqlite3.connect(":memory:")) as empty:
        return len(_migrations.pending(Database(empty)))
