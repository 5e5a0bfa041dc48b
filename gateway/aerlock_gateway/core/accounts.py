"""Accounts: made, found and changed by admins."""

import re
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from aerlock.v1 import accounts_pb2
from aerlock.v1.accounts_pb2 import ROLE_ADMIN, ROLE_AUTHOR, ROLE_RUNNER
from aerlock_gateway.core import clock, paging
from aerlock_gateway.core.access import (
    Account,
    Action,
    Role,
    missing,
    relation_to_owner,
    require,
)
from aerlock_gateway.core.sessions import Session, Sessions, account_disabled, role_changed
from aerlock_gateway.errors import AlreadyExistsError, InvalidArgumentError, PreconditionError, Violation
from aerlock_gateway.store import accounts, audit
from aerlock_gateway.store.accounts import AccountRow
from aerlock_gateway.store.database import Database

_ROLES: Final = {ROLE_ADMIN: Role.ADMIN, ROLE_AUTHOR: Role.AUTHOR, ROLE_RUNNER: Role.RUNNER}
_ROLE_NUMBERS: Final = {role: number for number, role in _ROLES.items()}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_NAME_RULE: Final = (
    'must be 1 to 64 lower case letters, digits, "-", "_" and ".", and begin with a letter or a digit'
)
_LARGEST_LIMIT: Final = 1_000_000
_LIMITS: Final = ("max_queued_jobs", "max_running_jobs")
_LIMIT_PATHS: Final = tuple(f"limits.{name}" for name in _LIMITS)
_CHANGEABLE: Final = ("role", "disabled", "limits", *_LIMIT_PATHS)


class Accounts:
    """All accounts. ``on_limits`` is awaited when a job that waits might start now."""

    def __init__(
        self, database: Database, sessions: Sessions, on_limits: Callable[[], Awaitable[None]]
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._on_limits = on_limits

    async def create(self, caller: Account, account: accounts_pb2.Account) -> accounts_pb2.Account:
        """Makes an account; raises `PermissionDeniedError`, `InvalidArgumentError`, `AlreadyExistsError`."""
        require(Action.CREATE_ACCOUNT, caller)
        violations = _violations(account, _CHANGEABLE)
        if not _NAME.fullmatch(account.name):
            violations.insert(0, Violation("account.name", _NAME_RULE))
        if violations:
            raise InvalidArgumentError.of(violations)
        row = _changed(AccountRow(account.name, "", False, None, None, clock.now()), account, _CHANGEABLE)

        def work(connection: sqlite3.Connection) -> None:
            if accounts.find(connection, row.name):
                raise AlreadyExistsError(
                    f"there is an account {row.name} already; choose another name", reason="ACCOUNT_EXISTS"
                )
            accounts.insert(connection, row)
            audit.insert(connection, row.create_time, caller.name, "account.create", row.name, _detail(row))

        await self._database.write(work)
        return _to_message(row)

    async def get(self, caller: Account, name: str) -> accounts_pb2.Account:
        """Returns an account, the caller's own where ``name`` is empty; raises `NotFoundError`."""
        name = name or caller.name
        require(Action.SEE_ACCOUNT, caller, relation_to_owner(caller, name))
        return _to_message(await self._database.read(lambda connection: _find(connection, name)))

    async def list(
        self, caller: Account, request: accounts_pb2.ListAccountsRequest
    ) -> tuple[list[accounts_pb2.Account], str]:
        """Returns a page of the accounts by name; raises `PermissionDeniedError`."""
        require(Action.LIST_ACCOUNTS, caller)
        size = paging.page_size(request.page_size)
        after = paging.read_token("accounts", request.page_token, "")
        rows = await self._database.read(lambda connection: accounts.page(connection, after, size + 1))
        following = paging.make_token("accounts", rows[size - 1].name) if len(rows) > size else ""
        return [_to_message(row) for row in rows[:size]], following

    async def update(
        self, caller: Account, request: accounts_pb2.UpdateAccountRequest
    ) -> accounts_pb2.Account:
        """Changes what the mask names.

        Raises `NotFoundError`, `PermissionDeniedError`, `InvalidArgumentError` and `PreconditionError`.
        """
        name, paths = request.account.name, tuple(request.update_mask.paths)
        require(Action.UPDATE_ACCOUNT, caller, relation_to_owner(caller, name))
        _check_mask(paths)
        if violations := _violations(request.account, paths):
            raise InvalidArgumentError.of(violations)

        def work(connection: sqlite3.Connection) -> tuple[AccountRow, AccountRow]:
            old = _find(connection, name)
            new = _changed(old, request.account, paths)
            accounts.update(connection, new)
            if not accounts.names_that_can_act(connection, Role.ADMIN):
                raise PreconditionError(
                    f"{name} is the last admin; make another one first", reason="LAST_ADMIN"
                )
            if new != old:
                audit.insert(connection, clock.now(), caller.name, "account.update", name, _detail(new))
            return old, new

        old, new = await self._database.write(work, lambda rows: self._end_sessions(*rows))
        if new.max_running_jobs != old.max_running_jobs:
            await self._on_limits()
        return _to_message(new)

    def _end_sessions(self, old: AccountRow, new: AccountRow) -> None:
        """What was opened under a rule that no longer holds ends."""

        def applies(session: Session) -> bool:
            return session.account.name == new.name

        if new.disabled:
            self._sessions.end(applies, account_disabled())
        elif (new.role, new.disabled) != (old.role, old.disabled):
            self._sessions.end(applies, role_changed())


def _find(connection: sqlite3.Connection, name: str) -> AccountRow:
    row = accounts.find(connection, name)
    if row is None:
        raise missing("account")
    return row


def _check_mask(paths: Sequence[str]) -> None:
    unknown = [path for path in paths if path not in _CHANGEABLE]
    if unknown or not paths:
        wrong = f"names {unknown[0][:64]!r}" if unknown else "is empty"
        sentence = f"{wrong}; name what to change of {', '.join(_CHANGEABLE)}"
        raise InvalidArgumentError.of([Violation("update_mask", sentence)])


def _violations(account: accounts_pb2.Account, paths: Sequence[str]) -> list[Violation]:
    """Returns what is wrong in the fields that are named."""
    violations = []
    if "role" in paths and account.role not in _ROLES:
        violations.append(Violation("account.role", "must be ROLE_ADMIN, ROLE_AUTHOR or ROLE_RUNNER"))
    for name in _limits(paths):
        if not 0 <= getattr(account.limits, name) <= _LARGEST_LIMIT:
            violations.append(Violation(f"account.limits.{name}", f"must be from 0 to {_LARGEST_LIMIT}"))
    return violations


def _changed(row: AccountRow, account: accounts_pb2.Account, paths: Sequence[str]) -> AccountRow:
    """Returns the row with the fields that are named as ``account`` has them."""
    if "role" in paths:
        row = replace(row, role=_ROLES[account.role])
    if "disabled" in paths:
        row = replace(row, disabled=account.disabled)
    for name in _limits(paths):
        limit = getattr(account.limits, name) if account.limits.HasField(name) else None  # type: ignore[arg-type]
        row = replace(row, **{name: limit})  # type: ignore[arg-type]
    return row


def _limits(paths: Sequence[str]) -> list[str]:
    return [name for name in _LIMITS if "limits" in paths or f"limits.{name}" in paths]


def _detail(row: AccountRow) -> str:
    """Returns what the audit keeps of an account."""
    parts = [f"role={row.role}", *(["disabled"] if row.disabled else [])]
    parts += [f"{name}={limit}" for name in _LIMITS if (limit := getattr(row, name)) is not None]
    return " ".join(parts)


def _to_message(row: AccountRow) -> accounts_pb2.Account:
    return accounts_pb2.Account(
        name=row.name,
        role=_ROLE_NUMBERS[Role(row.role)],
        disabled=row.disabled,
        limits=accounts_pb2.AccountLimits(
            max_queued_jobs=row.max_queued_jobs, max_running_jobs=row.max_running_jobs
        ),
        create_time=clock.to_timestamp(row.create_time),
    )
