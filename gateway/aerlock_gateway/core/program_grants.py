"""Granting programs to accounts."""

import sqlite3
from typing import Final

from aerlock.v1.programs_pb2 import (
    GRANT_LEVEL_UNSPECIFIED,
    DeleteProgramGrantRequest,
    GrantLevel,
    ListProgramGrantsRequest,
    ProgramGrant,
    SetProgramGrantRequest,
)
from aerlock_gateway.core import clock, paging
from aerlock_gateway.core.access import Account, Action
from aerlock_gateway.core.program_access import find_program
from aerlock_gateway.errors import ExhaustedError, InvalidArgumentError, Violation
from aerlock_gateway.store import accounts, audit, grants
from aerlock_gateway.store.database import Database

_METHOD: Final = "grants"
_MOST_GRANTS: Final = 1_000
_GRANTING: Final = (Action.SEE_PROGRAM, Action.GRANT_PROGRAM)


class ProgramGrants:
    """Who besides the owner may do what with a program."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, caller: Account, request: SetProgramGrantRequest) -> ProgramGrant:
        """Grants a program to an account, in place of what it had.

        Raises `NotFoundError`, `PermissionDeniedError`, `InvalidArgumentError` and `ExhaustedError`.
        """
        account, level = request.grant.account, request.grant.level

        def write(connection: sqlite3.Connection) -> None:
            find_program(connection, caller, request.program_id, actions=_GRANTING)
            _check(connection, request.grant)
            old = grants.level(connection, request.program_id, account)
            if old == level:
                return
            if not old and grants.count(connection, request.program_id) >= _MOST_GRANTS:
                raise ExhaustedError(
                    f"the program is granted to {_MOST_GRANTS} accounts; make it public or revoke a grant",
                    reason="TOO_MANY_GRANTS",
                )
            grants.put(connection, request.program_id, account, level)
            detail = f"account={account} level={GrantLevel.Name(level).removeprefix('GRANT_LEVEL_')}"
            audit.insert(
                connection, clock.now(), caller.name, Action.GRANT_PROGRAM, request.program_id, detail
            )

        await self._database.write(write)
        return request.grant

    async def delete(self, caller: Account, request: DeleteProgramGrantRequest) -> None:
        """Revokes a grant, if there is one; raises `NotFoundError` and `PermissionDeniedError`."""

        def write(connection: sqlite3.Connection) -> None:
            find_program(connection, caller, request.program_id, actions=_GRANTING)
            if grants.level(connection, request.program_id, request.account):
                grants.delete(connection, request.program_id, request.account)
                detail = f"account={request.account}"
                audit.insert(
                    connection, clock.now(), caller.name, "program.revoke", request.program_id, detail
                )

        await self._database.write(write)

    async def list_grants(
        self, caller: Account, request: ListProgramGrantsRequest
    ) -> tuple[list[ProgramGrant], str]:
        """Returns a page of grants by account, and the token of the next page.

        Raises `NotFoundError`, `PermissionDeniedError` and `InvalidArgumentError`.
        """
        size = paging.page_size(request.page_size)
        after = paging.read_token(_METHOD, request.page_token, "")

        def read(connection: sqlite3.Connection) -> list[tuple[str, int]]:
            find_program(connection, caller, request.program_id, actions=_GRANTING)
            return grants.page(connection, request.program_id, after, size + 1)

        rows = await self._database.read(read)
        token = paging.make_token(_METHOD, rows[size - 1][0]) if len(rows) > size else ""
        return [ProgramGrant(account=account, level=level) for account, level in rows[:size]], token  # type: ignore[arg-type]


def _check(connection: sqlite3.Connection, grant: ProgramGrant) -> None:
    violations = []
    if accounts.find(connection, grant.account) is None:
        violations.append(Violation("grant.account", "there is no account of this name"))
    if grant.level == GRANT_LEVEL_UNSPECIFIED or grant.level not in GrantLevel.values():
        violations.append(
            Violation("grant.level", "must be GRANT_LEVEL_RUN, GRANT_LEVEL_READ or GRANT_LEVEL_MANAGE")
        )
    if violations:
        raise InvalidArgumentError.of(violations)
