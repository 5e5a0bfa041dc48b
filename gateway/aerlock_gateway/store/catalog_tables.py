"""The tables that the catalog got with updates, deletion and grants, and their filling."""

import hashlib

from sqlite_utils import Database

from aerlock.v1.programs_pb2 import Program

_NOT_DELETED = "delete_time IS NULL"
PUBLIC = f"{_NOT_DELETED} AND visibility = 2"
"""The condition of the programs that everyone sees, as the indexes have it."""
EXISTING = _NOT_DELETED
"""The condition of the programs that are not deleted, as the indexes have it."""
ORDERS = ("program_id", "name", "update_time")
"""The columns by which programs can be listed."""

_COLUMNS = (
    # Of the newest revision, so that a listing can filter without parsing metadata.
    "ALTER TABLE programs ADD COLUMN delete_time INTEGER",
    "ALTER TABLE programs ADD COLUMN name TEXT NOT NULL DEFAULT '' COLLATE NOCASE",
    "ALTER TABLE programs ADD COLUMN description TEXT NOT NULL DEFAULT ''",
)

_TABLES = (
    # Sources lie apart: a revision that changes metadata alone does not repeat them.
    "CREATE TABLE program_sources (sha256 BLOB PRIMARY KEY, source BLOB NOT NULL) STRICT",
    """
    CREATE TABLE revisions_to_be (
        program_id TEXT NOT NULL REFERENCES programs(program_id),
        revision INTEGER NOT NULL,
        create_time INTEGER NOT NULL,
        sha256 BLOB NOT NULL,
        source_sha256 BLOB NOT NULL REFERENCES program_sources(sha256),
        signature TEXT NOT NULL,
        metadata BLOB NOT NULL,
        PRIMARY KEY (program_id, revision)
    ) STRICT
    """,
    # level is a GrantLevel.
    """
    CREATE TABLE program_grants (
        program_id TEXT NOT NULL REFERENCES programs(program_id),
        account TEXT NOT NULL REFERENCES accounts(name),
        level INTEGER NOT NULL,
        PRIMARY KEY (program_id, account)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX program_grants_of_account ON program_grants (account, program_id)",
)

# Whoever lists programs sees its own, those of everyone or, as an admin, all: each in
# each order from an index, so that a page costs the same however many there are.
_INDEXES = tuple(
    statement
    for key in ORDERS
    for statement in (
        f"CREATE INDEX programs_of_owner_by_{key} ON programs (owner, {key}, program_id) WHERE {EXISTING}",
        f"CREATE INDEX public_programs_by_{key} ON programs ({key}, program_id) WHERE {PUBLIC}",
        f"CREATE INDEX programs_by_{key} ON programs ({key}, program_id) WHERE {EXISTING}",
    )
)


def create(database: Database) -> None:
    """Makes the tables and moves into them what there is."""
    for statement in (*_COLUMNS, *_TABLES):
        database.execute(statement)
    _move_revisions(database)
    _fill_columns(database)
    for statement in (
        "DROP TABLE program_revisions",
        "ALTER TABLE revisions_to_be RENAME TO program_revisions",
        *_INDEXES,
    ):
        database.execute(statement)


def _move_revisions(database: Database) -> None:
    keys = database.execute("SELECT program_id, revision FROM program_revisions").fetchall()
    for key in keys:
        ((source,),) = database.execute(
            "SELECT source FROM program_revisions WHERE program_id = ? AND revision = ?", key
        ).fetchall()
        digest = hashlib.sha256(source).digest()
        database.execute("INSERT OR IGNORE INTO program_sources VALUES (?, ?)", (digest, source))
        # When an older one was made is not known any more: not after the newest.
        database.execute(
            "INSERT INTO revisions_to_be"
            " SELECT r.program_id, r.revision,"
            " CASE r.revision WHEN 1 THEN p.create_time ELSE p.update_time END,"
            " r.sha256, ?, r.signature, r.metadata"
            " FROM program_revisions r JOIN programs p USING (program_id)"
            " WHERE r.program_id = ? AND r.revision = ?",
            (digest, *key),
        )


def _fill_columns(database: Database) -> None:
    rows = database.execute(
        "SELECT program_id, r.metadata FROM programs p JOIN program_revisions r USING (program_id, revision)"
    ).fetchall()
    for program_id, metadata in rows:
        program = Program.FromString(metadata)
        database.execute(
            "UPDATE programs SET name = ?, description = ? WHERE program_id = ?",
            (program.name, program.description, program_id),
        )
