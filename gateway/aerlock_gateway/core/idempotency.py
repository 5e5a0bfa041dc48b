"""Retries: a request with a request_id is carried out once per account in 24 hours."""

import hashlib
import sqlite3

from google.protobuf.message import Message

from aerlock_gateway.core import clock
from aerlock_gateway.errors import InvalidArgumentError, Violation
from aerlock_gateway.store import request_ids

_LONGEST = 64
_FORGOTTEN = 10


class RequestKey:
    """One request of one account, by its request_id."""

    def __init__(self, account: str, method: str, request_id: str, request: Message) -> None:
        """Raises `InvalidArgumentError` where the request_id is too long."""
        if len(request_id) > _LONGEST:
            raise InvalidArgumentError.of(
                [Violation("request_id", f"must have at most {_LONGEST} characters")]
            )
        self._key = (account, method, request_id)
        self._body = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()

    def find(self, connection: sqlite3.Connection) -> str | None:
        """Returns what the first such request made; raises `InvalidArgumentError` if its body differs."""
        if not self._key[2] or (row := request_ids.find(connection, *self._key)) is None:
            return None
        body, resource = row
        if body != self._body:
            raise InvalidArgumentError.of(
                [Violation("request_id", "came before with another request; use a new one for each request")],
                reason="REQUEST_ID_REUSED",
            )
        return resource

    def remember(self, connection: sqlite3.Connection, resource: str) -> None:
        """Writes down what the request made, and forgets a few that are older than a day."""
        now = clock.now()
        # Each adds one at most: so they get fewer, and no one waits while a million are deleted.
        request_ids.delete_older(connection, now - clock.DAY, limit=_FORGOTTEN)
        if self._key[2]:
            request_ids.insert(connection, *self._key, self._body, resource, now)
