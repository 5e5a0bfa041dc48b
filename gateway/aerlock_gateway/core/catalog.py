"""The catalog: uploading, finding and listing programs."""

import hashlib
import json
import re
import secrets
import sqlite3
import string
from functools import partial
from importlib import resources
from typing import Final

from google.protobuf.json_format import ParseDict

from aerlock.v1.programs_pb2 import (
    PROGRAM_VIEW_FULL,
    VISIBILITY_PRIVATE,
    VISIBILITY_PUBLIC,
    GetProgramRequest,
    ListProgramsRequest,
    Program,
    ProgramSource,
    UploadProgramRequest,
)
from aerlock_gateway.core import clock, paging
from aerlock_gateway.core.check_source import MAIN_FILE
from aerlock_gateway.core.checker import Checker
from aerlock_gateway.core.idempotency import RequestKey
from aerlock_gateway.core.upload import check_program
from aerlock_gateway.errors import NotFoundError
from aerlock_gateway.store import accounts, programs
from aerlock_gateway.store.database import Database

SHIPPED_OWNER: Final = ""
"""The owner of the programs that ship with the server."""

_SUFFIX_ALPHABET: Final = string.ascii_letters + string.digits
_SUFFIX_LENGTH: Final = 10
_LONGEST_SLUG: Final = 50
_SHIPPED: Final = {"hello-world": "hello_world"}


class Catalog:
    """Programs by id; what an account may not see does not exist for it."""

    def __init__(self, database: Database, checker: Checker) -> None:
        self._database = database
        self._checker = checker

    async def upload(self, account: str, request: UploadProgramRequest) -> Program:
        """Checks and stores a new program; raises `InvalidArgumentError`."""
        key = RequestKey(account, "UploadProgram", request.request_id, request)
        if program_id := await self._database.read(key.find):
            return await self.get(account, GetProgramRequest(program_id=program_id))
        revision = await self._check(request.program)
        visibility = request.program.visibility or VISIBILITY_PRIVATE

        def write(connection: sqlite3.Connection) -> Program:
            program_id = key.find(connection)
            if program_id is None:
                program_id = _new_id(request.program.name)
                now = clock.now()
                programs.insert(connection, program_id, account, visibility, now, revision)
                accounts.insert_audit(connection, now, account, "program.upload", program_id)
                key.remember(connection, program_id)
            # Inside the transaction: a program that cannot be shown is not stored.
            return to_message(find_visible(connection, account, program_id))

        return await self._database.write(write)

    async def get(self, account: str, request: GetProgramRequest) -> Program:
        """Returns a program, with its source where asked for by the owner; raises `NotFoundError`."""

        def read(connection: sqlite3.Connection) -> Program:
            row = find_visible(connection, account, request.program_id, request.revision)
            program = to_message(row)
            if request.view == PROGRAM_VIEW_FULL and row.owner in (account, SHIPPED_OWNER):
                source = programs.source(connection, row.program_id, row.revision)
                program.source.CopyFrom(ProgramSource.FromString(source))
            return program

        return await self._database.read(read)

    async def list(self, account: str, request: ListProgramsRequest) -> tuple[list[Program], str]:
        """Returns a page of the programs that the account may see, and the token of the next page."""
        size = paging.page_size(request.page_size)
        after = paging.read_token("programs", request.page_token, "")
        rows, more = await self._database.read(
            lambda connection: programs.visible_page(connection, account, VISIBILITY_PUBLIC, after, size)
        )
        token = paging.make_token("programs", rows[-1].program_id) if more else ""
        return [to_message(row) for row in rows], token

    async def register_shipped(self) -> None:
        """Stores the programs that ship with this version, each under its plain name."""
        for program_id, module in _SHIPPED.items():
            revision = await self._check(_load_shipped(module))
            await self._database.write(partial(_register, program_id=program_id, revision=revision))

    async def _check(self, program: Program) -> programs.Revision:
        metadata, signature = await check_program(self._checker, program)
        encoded = metadata.SerializeToString(deterministic=True)
        source = program.source.SerializeToString(deterministic=True)
        digest = hashlib.sha256(len(encoded).to_bytes(8) + encoded + source).digest()
        return programs.Revision(digest, json.dumps(signature), encoded, source)


def find_visible(
    connection: sqlite3.Connection, account: str, program_id: str, revision: int = 0
) -> programs.ProgramRow:
    """Returns the row of a program that the account may see; raises `NotFoundError` for any other."""
    row = programs.find(connection, program_id, revision)
    if row is None or (row.owner != account and row.visibility != VISIBILITY_PUBLIC):
        raise NotFoundError(
            "there is no such program or revision; ListPrograms shows those that you may run",
            reason="PROGRAM_NOT_FOUND",
        )
    return row


def to_message(row: programs.ProgramRow) -> Program:
    """Returns the message of a row in the BASIC view."""
    program = Program.FromString(row.metadata)
    program.program_id = row.program_id
    program.revision = row.revision
    program.etag = _etag(row)
    program.owner = row.owner
    program.visibility = row.visibility  # type: ignore[assignment]
    program.create_time.CopyFrom(clock.to_timestamp(row.create_time))
    program.update_time.CopyFrom(clock.to_timestamp(row.update_time))
    return program


def _etag(row: programs.ProgramRow) -> str:
    state = f"{row.program_id} {row.newest_revision} {row.visibility} {row.update_time}"
    return hashlib.sha256(state.encode()).hexdigest()[:16]


def _new_id(name: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_SLUG]
    return f"{slug}-{''.join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))}"


def _load_shipped(module: str) -> Program:
    """Reads a program of this package: its metadata as JSON of a Program, schemas as objects."""
    folder = resources.files("aerlock_gateway.programs")
    fields = json.loads((folder / f"{module}.json").read_text())
    for name in list(fields):
        if name.endswith("_schema"):
            fields[name] = json.dumps(fields[name], indent=2)
    program = ParseDict(fields, Program())
    program.source.files[MAIN_FILE] = (folder / f"{module}.py").read_bytes()
    return program


def _register(connection: sqlite3.Connection, program_id: str, revision: programs.Revision) -> None:
    row = programs.find(connection, program_id)
    if row is None:
        programs.insert(connection, program_id, SHIPPED_OWNER, VISIBILITY_PUBLIC, clock.now(), revision)
    elif row.sha256 != revision.sha256:
        programs.add_revision(connection, program_id, row.newest_revision + 1, clock.now(), revision)
