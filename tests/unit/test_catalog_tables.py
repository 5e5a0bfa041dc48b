"""A database from before updates and grants keeps all that it has."""

import hashlib
import sqlite3
from contextlib import closing

import pytest
from sqlite_utils import Database

from aerlock.v1.programs_pb2 import Program
from aerlock_gateway.store import programs, schema

OLD_PROGRAM = "INSERT INTO programs VALUES (?, 'ada', 1, ?, 10, 20)"
OLD_REVISION = "INSERT INTO program_revisions VALUES (?, ?, ?, '{}', ?, ?)"


@pytest.fixture
def old():
    """A database as it was, with a program of two revisions and one of a single revision."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        schema._migrations.apply(Database(connection), stop_before="program_catalog")
        for program_id, count in (("two", 2), ("one", 1)):
            connection.execute(OLD_PROGRAM, (program_id, count))
            for revision in range(1, count + 1):
                metadata = Program(name=f"Name {revision}", description="É").SerializeToString()
                digest = hashlib.sha256(f"{program_id} {revision}".encode()).digest()
                connection.execute(OLD_REVISION, (program_id, revision, digest, metadata, b"source"))
        yield connection


def test_programs_and_revisions_are_kept(old):
    schema.migrate(old)
    newest = programs.find(old, "two")
    assert (newest.revision, newest.newest_revision, newest.owner) == (2, 2, "ada")
    assert Program.FromString(newest.metadata).name == "Name 2"
    assert newest.sha256 == hashlib.sha256(b"two 2").digest()
    rows, more = programs.revisions(old, "two", 2**31, 10)
    assert [(row.revision, row.revision_time) for row in rows] == [(2, 20), (1, 10)]
    assert not more
    assert programs.source(old, "two", 1) == programs.source(old, "one", 1) == b"source"
    assert old.execute("SELECT count(*) FROM program_sources").fetchone() == (1,)
    named = old.execute(
        "SELECT program_id, name, description, delete_time FROM programs ORDER BY 1"
    ).fetchall()
    assert named == [("one", "Name 1", "É", None), ("two", "Name 2", "É", None)]
    assert old.execute("PRAGMA foreign_key_check").fetchall() == []


def test_migrating_twice_changes_nothing(old):
    schema.migrate(old)
    before = list(old.iterdump())
    schema.migrate(old)
    assert list(old.iterdump()) == before
