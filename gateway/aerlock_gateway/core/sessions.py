"""Who is let in, and the streams that end when a token is revoked or expires, or its account is disabled."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, TypeVar

from aerlock_gateway.core import clock
from aerlock_gateway.core.access import Account, Role
from aerlock_gateway.errors import GatewayError, UnauthenticatedError, UnavailableError
from aerlock_gateway.store import tokens
from aerlock_gateway.store.database import Database

T = TypeVar("T")

_LONGEST_TOKEN: Final = 128
_LARGEST_CACHE: Final = 4096
# Expiry is looked at anew so often: clocks are set.
_LONGEST_TIMER: Final = 3600.0
# How long a stream may take to send what it is sending when its session ends.
_GRACE_SECONDS: Final = 0.5


@dataclass(slots=True, eq=False)
class Stream:
    """One open call that lasts; ``waits`` while it may be cancelled and still answer with a status."""

    task: "asyncio.Task[object]"
    waits: bool = True
    # Ends a call from outside, with a status, where it sends to a client that takes nothing.
    abort: "Callable[[GatewayError], Coroutine[None, None, None]] | None" = None


@dataclass(slots=True, eq=False)
class Session:
    """A token that was let in, and the streams that were opened with it."""

    account: Account
    token_id: str
    expire_time: int
    over: GatewayError | None = None
    streams: set[Stream] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None
    # Kept, since a task that nobody holds may vanish.
    aborts: set["asyncio.Future[None]"] = field(default_factory=set)

    def check(self) -> None:
        """Raises the error with which the session ended, if it has."""
        if self.over is not None:
            raise self.over

    def end(self, error: GatewayError) -> None:
        """Ends the streams with ``error``: at once where they wait, and in a moment where they send."""
        self.over = error
        for stream in self.streams:
            if stream.waits:
                stream.task.cancel()
        asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._cut)

    def _cut(self) -> None:
        for stream in self.streams:
            if stream.abort is not None and self.over is not None and not stream.waits:
                self.aborts.add(asyncio.ensure_future(stream.abort(self.over)))
            stream.task.cancel()


class Sessions:
    """Tokens are stored as SHA-256; what was looked up once is kept until it changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, Session] = {}
        self._changes = 0

    async def authenticate(self, token: str) -> Session:
        """Returns the session of a token; raises `UnauthenticatedError`."""
        digest = digest_of(token)
        session = self._known.get(digest) or await self._look_up(digest)
        if session.expire_time <= clock.now():
            raise _expired()
        return session

    def end(self, applies: Callable[[Session], bool], error: GatewayError) -> None:
        """Ends the sessions to which it applies; their tokens are looked up anew.

        Called after the commit of what changed. It counts as a change for every
        look-up under way, which may have read what was before.
        """
        self._changes += 1
        ended = {digest: session for digest, session in self._known.items() if applies(session)}
        for digest, session in ended.items():
            del self._known[digest]
            session.end(error)

    async def _look_up(self, digest: bytes) -> Session:
        while True:
            changes = self._changes
            holder = await self._database.read(lambda connection: tokens.find_holder(connection, digest))
            if changes == self._changes:
                break
        if holder is None:
            raise UnauthenticatedError("the token is not valid here: it is mistyped or revoked")
        if holder.disabled:
            raise account_disabled()
        if holder.expire_time <= clock.now():
            raise _expired()
        if len(self._known) >= _LARGEST_CACHE:
            self._known = {key: session for key, session in self._known.items() if session.streams}
        account = Account(holder.account, Role(holder.role))
        return self._known.setdefault(digest, Session(account, holder.token_id, holder.expire_time))


def digest_of(token: str) -> bytes:
    """Returns what is stored of a token."""
    # A token of ours is short; hashing a long one would only be work for a stranger.
    return hashlib.sha256(token[:_LONGEST_TOKEN].encode(errors="replace")).digest()


def account_disabled() -> UnauthenticatedError:
    """Returns the error for the tokens and streams of a disabled account."""
    return UnauthenticatedError("the account is disabled; ask an admin", reason="ACCOUNT_DISABLED")


def token_revoked() -> UnauthenticatedError:
    """Returns the error for the streams of a token that was revoked."""
    return UnauthenticatedError("the token was revoked; take another", reason="TOKEN_REVOKED")


def role_changed() -> UnavailableError:
    """Returns the error for the streams that were opened in another role."""
    return UnavailableError(
        "the role of the account has changed; open the stream again", reason="ROLE_CHANGED", retry_seconds=0.1
    )


def _expired() -> UnauthenticatedError:
    return UnauthenticatedError(
        "the token has expired; take another: `aerlock token create` makes one", reason="TOKEN_EXPIRED"
    )


async def while_open(
    session: Session,
    responses: AsyncGenerator[T, None],
    abort: Callable[[GatewayError], Coroutine[None, None, None]] | None = None,
) -> AsyncGenerator[T, None]:
    """Yields what a stream yields until it or its session ends; then raises the session's error.

    ``abort`` is called in its place where the stream is sending and does not come to an end.
    """
    stream = _open(session)
    stream.abort = abort
    try:
        async with aclosing(responses):
            session.check()
            async for response in responses:
                stream.waits = False
                session.check()
                yield response
                session.check()
                stream.waits = True
    except asyncio.CancelledError:
        _raise_if_over(session, stream)
        raise
    finally:
        _close(session, stream)


async def call_while_open(
    session: Session, call: Callable[[], Coroutine[None, None, T]], at_once: bool = True
) -> T:
    """Awaits a call until it or its session ends; then raises the session's error.

    Without ``at_once`` the call has a moment to end by itself.
    """
    stream = _open(session)
    stream.waits = at_once
    try:
        session.check()
        return await call()
    except asyncio.CancelledError:
        _raise_if_over(session, stream)
        raise
    finally:
        _close(session, stream)


def _open(session: Session) -> Stream:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - coroutines run in tasks
    stream = Stream(task)
    session.streams.add(stream)
    if session.timer is None:
        _watch_expiry(session)
    return stream


def _close(session: Session, stream: Stream) -> None:
    session.streams.discard(stream)
    if not session.streams and session.timer is not None:
        session.timer.cancel()
        session.timer = None


def _watch_expiry(session: Session) -> None:
    """Ends the session when its token expires; by the clock on the wall, which may be set meanwhile."""
    left = (session.expire_time - clock.now()) / clock.SECOND
    if left <= 0:
        session.timer = None
        session.end(_expired())
    else:
        loop = asyncio.get_running_loop()
        session.timer = loop.call_later(min(left, _LONGEST_TIMER), _watch_expiry, session)


def _raise_if_over(session: Session, stream: Stream) -> None:
    if session.over is not None:
        stream.task.uncancel()
        raise session.over from None
