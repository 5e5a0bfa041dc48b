"""The tables and indexes that jobs got with lists, tags, turns, deletion and retention."""

from sqlite_utils import Database

KEPT = "purge_time IS NULL"
"""The condition of the jobs that are not deleted, as the indexes have it."""
WAITS = "state = 1"
"""The condition of the jobs that are QUEUED, as the indexes have it."""
HELD = "state IN (2, 3)"
"""The condition of the jobs that an executor has, RUNNING or CANCELLING, as the indexes have it."""

_COLUMNS = (
    # The place in line that a job has by its submission: see `store.queue`.
    "ALTER TABLE jobs ADD COLUMN turn INTEGER NOT NULL DEFAULT 0",
    # NULL unless the job is deleted: when what is left of it may go from the disk.
    "ALTER TABLE jobs ADD COLUMN purge_time INTEGER",
    # Inputs, log and blobs; a blob counts for each job that refers to it.
    "ALTER TABLE jobs ADD COLUMN stored_bytes INTEGER NOT NULL DEFAULT 0",
)

_FILLING = (
    "UPDATE jobs SET turn = id WHERE state <= 3",
    """
    UPDATE jobs SET stored_bytes =
        coalesce((SELECT length(inputs) FROM job_inputs WHERE job = jobs.id), 0)
        + coalesce((SELECT sum(length(encoded)) FROM events WHERE job = jobs.id), 0)
        + coalesce((SELECT sum(size) FROM job_blobs JOIN blobs USING (sha256) WHERE job = jobs.id), 0)
    """,
    "INSERT OR IGNORE INTO job_tags (job, tag, owner, create_time)"
    " SELECT jobs.id, value, owner, create_time FROM jobs, json_each(jobs.tags)",
)

_TABLES = (
    # The tags of the jobs that are not deleted, to look jobs up by; owner and
    # create_time are the job's, so that a list comes in order from an index.
    """
    CREATE TABLE job_tags (
        job INTEGER NOT NULL REFERENCES jobs(id),
        tag TEXT NOT NULL,
        owner TEXT NOT NULL,
        create_time INTEGER NOT NULL,
        PRIMARY KEY (job, tag)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX job_tags_of_owner ON job_tags (owner, tag, create_time, job)",
    "CREATE INDEX job_tags_of_all ON job_tags (tag, create_time, job)",
)

# Whoever lists jobs sees its own or, as an admin, all. Every list comes in order from one of
# these, and what its other filters look at is in the index too: only what a page shows is read.
_LISTS = tuple(
    f"CREATE INDEX jobs_of_{name} ON jobs ({columns}, purge_time) WHERE {KEPT}"
    for name, columns in (
        ("owner", "owner, create_time, id, state, program_id, backend_name"),
        ("owner_by_program", "owner, program_id, create_time, id, state, backend_name"),
        ("owner_by_state", "owner, state, create_time, id, program_id, backend_name"),
        ("all", "create_time, id, state, program_id, backend_name"),
        ("all_by_program", "program_id, create_time, id, state, backend_name"),
        ("all_by_state", "state, create_time, id, program_id, backend_name"),
    )
)

_INDEXES = (
    f"CREATE INDEX jobs_waiting ON jobs (owner, turn, state) WHERE {WAITS}",
    f"CREATE INDEX jobs_held ON jobs (owner, turn, state) WHERE {HELD}",
    f"CREATE INDEX jobs_ended ON jobs (end_time, stored_bytes, state, purge_time) WHERE {KEPT} AND state > 3",
    "CREATE INDEX jobs_to_purge ON jobs (purge_time) WHERE purge_time IS NOT NULL",
)


def create(database: Database) -> None:
    """Makes the columns, tables and indexes, and fills them for the jobs that there are."""
    for index in ("jobs_of_owner", "jobs_alive", "jobs_alive_of_owner"):
        database.execute(f"DROP INDEX {index}")
    for statement in (*_COLUMNS, *_TABLES, *_FILLING, *_LISTS, *_INDEXES):
        database.execute(statement)
