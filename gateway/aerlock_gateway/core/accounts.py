"""Accounts and their tokens."""

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass
from typing import Final

from aerlock_gateway.core import clock
from aerlock_gateway.errors import UnauthenticatedError
from aerlock_gateway.store import accounts
from aerlock_gateway.store.database import Database

FIRST_ACCOUNT: Final = "admin"
_TOKEN_PREFIX: Final = "aerlock_"  # noqa: S105
_TOKEN_BITS: Final = 256
_LONGEST_TOKEN: Final = 128
_LIFETIME: Final = 365 * clock.DAY
_LARGEST_CACHE: Final = 4096


@dataclass(frozen=True, slots=True)
class Account:
    """Who calls."""

    name: str
    role: str


class Accounts:
    """Tokens are shown once and stored as SHA-256."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, tuple[Account, int]] = {}

    async def authenticate(self, token: str) -> Account:
        """Returns the account of a token; raises `UnauthenticatedError`."""
        digest = _digest(token)
        if digest not in self._known:
            await self._look_up(digest)
        account, expire_time = self._known.get(digest, (None, 0))
        if account is None or expire_time <= clock.now():
            self._known.pop(digest, None)
            raise UnauthenticatedError("the token is not valid here: it is mistyped, expired or revoked")
        return account

    async def _look_up(self, digest: bytes) -> None:
        row = await self._database.read(lambda connection: accounts.find_token(connection, digest))
        if row is None:
            return
        if len(self._known) >= _LARGEST_CACHE:
            self._known.clear()
        name, role, expire_time = row
        self._known[digest] = Account(name, role), expire_time

    async def bootstrap(self, token: str) -> str:
        """Returns ``token`` if it is valid, else a new one of the first account, made if there is none."""
        try:
            await self.authenticate(token)
        except UnauthenticatedError:
            return await self._database.write(_first_account_token)
        return token


def _first_account_token(connection: sqlite3.Connection) -> str:
    now = clock.now()
    names = accounts.account_names(connection)
    if not names:
        accounts.insert_account(connection, FIRST_ACCOUNT, "admin", now)
        accounts.insert_audit(connection, now, FIRST_ACCOUNT, "account.create", FIRST_ACCOUNT)
    return make_token(connection, names[0] if names else FIRST_ACCOUNT)


def make_token(connection: sqlite3.Connection, account: str) -> str:
    """Makes a token of an account that exists; this is the only time it is seen."""
    now = clock.now()
    token = _TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BITS // 8)
    accounts.insert_token(connection, _digest(token), account, now, now + _LIFETIME)
    accounts.insert_audit(connection, now, account, "token.create", account)
    return token


def _digest(token: str) -> bytes:
    # A token of ours is short; hashing a long one would only be work for a stranger.
    return hashlib.sha256(token[:_LONGEST_TOKEN].encode(errors="replace")).digest()
