"""The catalog: uploading, finding, changing and deleting programs."""

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
    ListProgramRevisionsRequest,
    ListProgramsRequest,
    Program,
    ProgramSource,
    UpdateProgramRequest,
    UploadProgramRequest,
)
from aerlock_gateway.core import clock, paging
from aerlock_gateway.core.access import SHIPPED_OWNER, Account, Action, require
from aerlock_gateway.core.check_source import MAIN_FILE
from aerlock_gateway.core.checker import Checker
from aerlock_gateway.core.idempotency import RequestKey
from aerlock_gateway.core.program_access import find_program
from aerlock_gateway.core.program_list import read_listing, read_page
from aerlock_gateway.core.program_messages import etag, to_message, to_revision
from aerlock_gateway.core.program_update import Update, read_update
from aerlock_gateway.core.upload import check_program
from aerlock_gateway.errors import AbortedError, ExhaustedError
from aerlock_gateway.store import audit, programs
from aerlock_gateway.store.database import Database

_SUFFIX_ALPHABET: Final = string.ascii_letters + string.digits
_SUFFIX_LENGTH: Final = 10
_LONGEST_SLUG: Final = 50
_MOST_REVISIONS: Final = 10_000
_ATTEMPTS: Final = 3
_ABOVE_ANY_REVISION: Final = 2**31
_SHIPPED: Final = {"hello-world": "hello_world"}


class Catalog:
    """Programs by id; what an account may not see does not exist for it."""

    def __init__(self, database: Database, checker: Checker) -> None:
        self._database = database
        self._checker = checker

    async def upload(self, caller: Account, request: UploadProgramRequest) -> Program:
        """Checks and stores a new program; raises `PermissionDeniedError` and `InvalidArgumentError`."""
        require(Action.UPLOAD_PROGRAM, caller)
        key = RequestKey(caller.name, "UploadProgram", request.request_id, request)
        if program_id := await self._database.read(key.find):
            return await self.get(caller, GetProgramRequest(program_id=program_id))
        revision = await self._check(caller.name, request.program)
        visibility = request.program.visibility or VISIBILITY_PRIVATE

        def write(connection: sqlite3.Connection) -> Program:
            program_id = key.find(connection)
            if program_id is None:
                program_id = _new_id(connection, request.program.name)
                now = clock.now()
                programs.insert(connection, program_id, caller.name, visibility, now, revision)
                audit.insert(connection, now, caller.name, Action.UPLOAD_PROGRAM, program_id)
                key.remember(connection, program_id)
            # Inside the transaction: a program that cannot be shown is not stored.
            return to_message(find_program(connection, caller, program_id))

        return await self._database.write(write)

    async def get(self, caller: Account, request: GetProgramRequest) -> Program:
        """Returns a program, with its source in the FULL view.

        Raises `NotFoundError`, and `PermissionDeniedError` for a source that the caller may not read.
        """
        is_full = request.view == PROGRAM_VIEW_FULL
        actions = [Action.SEE_PROGRAM, Action.READ_SOURCE] if is_full else [Action.SEE_PROGRAM]

        def read(connection: sqlite3.Connection) -> Program:
            row = find_program(connection, caller, request.program_id, request.revision, actions)
            return _with_source(connection, row) if is_full else to_message(row)

        return await self._database.read(read)

    async def list_programs(self, caller: Account, request: ListProgramsRequest) -> tuple[list[Program], str]:
        """Returns a page of the programs that the caller sees, and the token of the next page.

        Raises `InvalidArgumentError`.
        """
        size = paging.page_size(request.page_size)
        listing = read_listing(caller, request)
        return await self._database.read(partial(read_page, listing=listing, size=size))

    async def list_revisions(
        self, caller: Account, request: ListProgramRevisionsRequest
    ) -> tuple[list[Program], str]:
        """Returns a page of a program's revisions, newest first, and the token of the next page.

        Raises `NotFoundError` and `InvalidArgumentError`.
        """
        size = paging.page_size(request.page_size)
        before = paging.read_token("revisions", request.page_token, _ABOVE_ANY_REVISION)

        def read(connection: sqlite3.Connection) -> tuple[list[programs.ProgramRow], bool]:
            find_program(connection, caller, request.program_id)
            return programs.revisions(connection, request.program_id, before, size)

        rows, more = await self._database.read(read)
        token = paging.make_token("revisions", rows[-1].revision) if more else ""
        return [_as_revision(row) for row in rows], token

    async def update(self, caller: Account, request: UpdateProgramRequest) -> Program:
        """Changes data, metadata and visibility in one step, and returns what the program is then.

        Raises `NotFoundError`, `PermissionDeniedError`, `InvalidArgumentError`, `AbortedError` and
        `ExhaustedError`.
        """
        update = read_update(request)
        for _ in range(_ATTEMPTS):
            newest, base = await self._database.read(partial(_base, caller=caller, update=update))
            revision = None
            if update.changes_content:
                revision = await self._check(caller.name, update.applied_to(base))
            apply = partial(_apply, caller=caller, update=update, newest=newest, revision=revision)
            if row := await self._database.write(apply):
                return to_message(row)
        raise AbortedError(
            "others change this program at the same time; try again", reason="CONCURRENT_UPDATE"
        )

    async def delete(self, caller: Account, program_id: str) -> None:
        """Takes a program from the catalog; raises `NotFoundError` and `PermissionDeniedError`."""

        def write(connection: sqlite3.Connection) -> None:
            find_program(connection, caller, program_id, actions=(Action.SEE_PROGRAM, Action.DELETE_PROGRAM))
            now = clock.now()
            programs.mark_deleted(connection, program_id, now)
            audit.insert(connection, now, caller.name, Action.DELETE_PROGRAM, program_id)

        await self._database.write(write)

    async def register_shipped(self) -> None:
        """Stores the programs that ship with this version, each under its plain name."""
        for program_id, module in _SHIPPED.items():
            revision = await self._check(SHIPPED_OWNER, _load_shipped(module))
            await self._database.write(partial(_register, program_id=program_id, revision=revision))

    async def _check(self, account: str, program: Program) -> programs.Revision:
        metadata, signature = await check_program(self._checker, account, program)
        return to_revision(metadata, program.source, signature)


def _base(connection: sqlite3.Connection, caller: Account, update: Update) -> tuple[int, Program]:
    """Returns the newest revision's number, and the whole program that the update starts from."""
    row = find_program(connection, caller, update.program.program_id, update.from_revision, update.actions)
    program = _with_source(connection, row) if update.changes_content else Program()
    return row.newest_revision, program


def _apply(
    connection: sqlite3.Connection,
    caller: Account,
    update: Update,
    newest: int,
    revision: programs.Revision | None,
) -> programs.ProgramRow | None:
    """Writes an update; returns None where the program has a newer revision than the one it began with."""
    program_id = update.program.program_id
    row = find_program(connection, caller, program_id, actions=update.actions)
    if row.newest_revision != newest:
        return None
    adds = revision is not None and revision.sha256 != row.sha256
    shows = update.visibility not in (0, row.visibility)
    if (adds or shows) and update.program.etag not in ("", etag(row)):
        raise AbortedError(
            "the program has changed since this etag; get it again and repeat the update",
            reason="ETAG_MISMATCH",
        )
    now = clock.now()
    if adds and revision is not None:
        _add_revision(connection, row, now, revision)
        detail = f"revision={newest + 1}"
        audit.insert(connection, now, caller.name, Action.UPDATE_PROGRAM, program_id, detail)
    if shows:
        programs.set_visibility(connection, program_id, update.visibility, now)
        detail = "public" if update.visibility == VISIBILITY_PUBLIC else "private"
        audit.insert(connection, now, caller.name, Action.SET_VISIBILITY, program_id, detail)
    return find_program(connection, caller, program_id)


def _add_revision(
    connection: sqlite3.Connection, row: programs.ProgramRow, now: int, revision: programs.Revision
) -> None:
    if row.newest_revision >= _MOST_REVISIONS:
        raise ExhaustedError(
            f"the program has {_MOST_REVISIONS:,} revisions; upload it as a new program",
            reason="TOO_MANY_REVISIONS",
        )
    programs.add_revision(connection, row.program_id, row.newest_revision + 1, now, revision)


def _with_source(connection: sqlite3.Connection, row: programs.ProgramRow) -> Program:
    program = to_message(row)
    source = programs.source(connection, row.program_id, row.revision)
    program.source.CopyFrom(ProgramSource.FromString(source))
    return program


def _as_revision(row: programs.ProgramRow) -> Program:
    program = to_message(row)
    program.update_time.CopyFrom(clock.to_timestamp(row.revision_time))
    return program


def _new_id(connection: sqlite3.Connection, name: str) -> str:
    """Returns an id that no program has or had; that it tries again tells nobody of another's program."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_SLUG]
    while True:
        suffix = "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))
        if not programs.is_taken(connection, f"{slug}-{suffix}"):
            return f"{slug}-{suffix}"


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
    now = clock.now()
    if row is None:
        programs.insert(connection, program_id, SHIPPED_OWNER, VISIBILITY_PUBLIC, now, revision)
        audit.insert(connection, now, SHIPPED_OWNER, Action.UPLOAD_PROGRAM, program_id)
    elif row.sha256 != revision.sha256:
        programs.add_revision(connection, program_id, row.newest_revision + 1, now, revision)
        audit.insert(connection, now, SHIPPED_OWNER, Action.UPDATE_PROGRAM, program_id)
