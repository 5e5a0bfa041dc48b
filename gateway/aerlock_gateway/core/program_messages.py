"""Programs as messages: a row of the database in the BASIC view, and what a new revision stores."""

import hashlib
import json
from typing import Any

from aerlock.v1.programs_pb2 import Program, ProgramSource
from aerlock_gateway.core import clock
from aerlock_gateway.store import programs


def to_message(row: programs.ProgramRow) -> Program:
    """Returns the message of a row in the BASIC view."""
    program = Program.FromString(row.metadata)
    program.program_id = row.program_id
    program.revision = row.revision
    program.etag = etag(row)
    program.owner = row.owner
    program.visibility = row.visibility  # type: ignore[assignment]
    program.content_sha256 = row.sha256.hex()
    program.create_time.CopyFrom(clock.to_timestamp(row.create_time))
    program.update_time.CopyFrom(clock.to_timestamp(row.update_time))
    return program


def etag(row: programs.ProgramRow) -> str:
    """Returns what changes with every change of the program."""
    state = f"{row.program_id} {row.newest_revision} {row.visibility} {row.update_time}"
    return hashlib.sha256(state.encode()).hexdigest()[:16]


def to_revision(metadata: Program, source: ProgramSource, signature: dict[str, Any]) -> programs.Revision:
    """Returns what is stored of a program that was checked; equal content has equal digests."""
    encoded = metadata.SerializeToString(deterministic=True)
    encoded_source = source.SerializeToString(deterministic=True)
    return programs.Revision(
        sha256=hashlib.sha256(len(encoded).to_bytes(8) + encoded + encoded_source).digest(),
        signature=json.dumps(signature),
        metadata=encoded,
        source=encoded_source,
        source_sha256=hashlib.sha256(encoded_source).digest(),
        name=metadata.name,
        description=metadata.description,
    )
