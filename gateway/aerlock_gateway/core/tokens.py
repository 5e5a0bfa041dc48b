"""Tokens: made, listed and revoked; each is shown once and stored as SHA-256."""

import secrets
import sqlite3
from typing import Final

from google.protobuf.duration_pb2 import Duration

from aerlock.v1.accounts_pb2 import CreateTokenRequest, ListTokensRequest, Token
from aerlock_gateway.core import clock, paging
from aerlock_gateway.core.access import Account, Action, Role, missing, relation_to_owner, require
from aerlock_gateway.core.sessions import Sessions, digest_of, token_revoked
from aerlock_gateway.errors import ExhaustedError, InvalidArgumentError, UnauthenticatedError, Violation
from aerlock_gateway.store import accounts, audit, tokens
from aerlock_gateway.store.database import Database

FIRST_ACCOUNT: Final = "admin"
_PREFIX: Final = "aerlock_"
_BITS: Final = 256
_ID_BITS: Final = 64
_LONGEST_DESCRIPTION: Final = 200
_LONGEST_LIFE: Final = 365 * clock.DAY
_MOST: Final = 100


class Tokens:
    """The tokens of all accounts; an account manages its own, an admin those of everyone."""

    def __init__(self, database: Database, sessions: Sessions) -> None:
        self._database = database
        self._sessions = sessions

    async def create(self, caller: Account, request: CreateTokenRequest) -> tuple[Token, str]:
        """Makes a token and returns it with its secret, which nobody sees again.

        Raises `NotFoundError`, `InvalidArgumentError` and `ExhaustedError`.
        """
        name = request.account or caller.name
        require(Action.CREATE_TOKEN, caller, relation_to_owner(caller, name))
        life = _check(request)
        secret = _new_secret()

        def work(connection: sqlite3.Connection) -> Token:
            if accounts.find(connection, name) is None:
                raise missing("account")
            now = clock.now()
            tokens.delete_expired(connection, name, now)
            if tokens.count(connection, name) >= _MOST:
                raise ExhaustedError(
                    f"{name} has {_MOST} tokens, the most that an account may have; revoke one",
                    reason="TOKEN_LIMIT",
                    violations=[Violation(f"account:{name}", f"has {_MOST} tokens, and may have {_MOST}")],
                )
            return _insert(connection, caller.name, name, secret, request.description, now + life)

        return await self._database.write(work), secret

    async def list(self, caller: Account, request: ListTokensRequest) -> tuple[list[Token], str]:
        """Returns a page of an account's tokens, oldest first; raises `NotFoundError`."""
        name = request.account or caller.name
        require(Action.LIST_TOKENS, caller, relation_to_owner(caller, name))
        size = paging.page_size(request.page_size)
        after = paging.read_token("tokens", request.page_token, 0)

        def read(connection: sqlite3.Connection) -> list[tokens.TokenRow]:
            if accounts.find(connection, name) is None:
                raise missing("account")
            return tokens.page(connection, name, after, size + 1)

        rows = await self._database.read(read)
        following = paging.make_token("tokens", rows[size - 1].id) if len(rows) > size else ""
        return [_to_message(row) for row in rows[:size]], following

    async def revoke(self, caller: Account, token_id: str) -> None:
        """Forgets a token and ends its streams; raises `NotFoundError`."""

        def work(connection: sqlite3.Connection) -> None:
            row = tokens.find(connection, token_id)
            if row is None:
                raise missing("token")
            require(Action.REVOKE_TOKEN, caller, relation_to_owner(caller, row.account))
            tokens.delete(connection, token_id)
            audit.insert(
                connection, clock.now(), caller.name, "token.revoke", token_id, f"account={row.account}"
            )

        def then(_: None) -> None:
            self._sessions.end(lambda session: session.token_id == token_id, token_revoked())

        await self._database.write(work, then)


async def bootstrap_token(database: Database, token: str) -> str:
    """Returns ``token`` if it lets an account in, else a new one of the first admin, made if there is none.

    Its caller is the operator of the server, who owns the database.
    """
    try:
        await Sessions(database).authenticate(token)
    except UnauthenticatedError:
        return await database.write(_first_admin_token)
    return token


def _first_admin_token(connection: sqlite3.Connection) -> str:
    now = clock.now()
    name = next(iter(accounts.names_that_can_act(connection, Role.ADMIN)), None)
    if name is None:
        name = FIRST_ACCOUNT
        accounts.insert(connection, accounts.AccountRow(name, Role.ADMIN, False, None, None, now))
        audit.insert(connection, now, "", "account.create", name, f"role={Role.ADMIN}")
    secret = _new_secret()
    _insert(connection, "", name, secret, "made by the operator of the server", now + _LONGEST_LIFE)
    return secret


def _check(request: CreateTokenRequest) -> int:
    """Returns how long the token shall live, in nanoseconds."""
    violations = []
    if len(request.description) > _LONGEST_DESCRIPTION or not request.description.isprintable():
        sentence = f"must be one line of at most {_LONGEST_DESCRIPTION} characters"
        violations.append(Violation("description", sentence))
    ttl: Duration = request.ttl
    life = ttl.seconds * clock.SECOND + ttl.nanos if request.HasField("ttl") else _LONGEST_LIFE
    if not clock.SECOND <= life <= _LONGEST_LIFE:
        violations.append(Violation("ttl", "must be from 1 second to 365 days"))
    if violations:
        raise InvalidArgumentError.of(violations)
    return life


def _insert(
    connection: sqlite3.Connection, by: str, name: str, secret: str, description: str, expire_time: int
) -> Token:
    now = clock.now()
    token_id = secrets.token_hex(_ID_BITS // 8)
    row = tokens.insert(connection, digest_of(secret), token_id, name, description, now, expire_time)
    audit.insert(connection, now, by, "token.create", token_id, f"account={name}")
    return _to_message(row)


def _new_secret() -> str:
    return _PREFIX + secrets.token_urlsafe(_BITS // 8)


def _to_message(row: tokens.TokenRow) -> Token:
    return Token(
        token_id=row.token_id,
        account=row.account,
        description=row.description,
        create_time=clock.to_timestamp(row.create_time),
        expire_time=clock.to_timestamp(row.expire_time),
    )
