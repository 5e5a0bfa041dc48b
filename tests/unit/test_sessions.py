"""Sessions: what a revocation ends, and that no memory of a token outlives it."""

import asyncio

import pytest

from aerlock.v1.accounts_pb2 import CreateTokenRequest
from aerlock_gateway.core.access import Account, Role
from aerlock_gateway.core.sessions import Sessions, call_while_open, token_revoked, while_open
from aerlock_gateway.core.tokens import Tokens, bootstrap_token
from aerlock_gateway.errors import UnauthenticatedError
from aerlock_gateway.store.database import Database

ADMIN = Account("admin", Role.ADMIN)


@pytest.fixture
async def database(tmp_path):
    database = Database(tmp_path / "gateway.db")
    await bootstrap_token(database, "")
    yield database
    await database.close()


@pytest.fixture
def sessions(database):
    return Sessions(database)


@pytest.fixture
def tokens(database, sessions):
    return Tokens(database, sessions)


async def endless(sent: int = 1):
    for number in range(sent):
        yield number
    await asyncio.Event().wait()


async def test_look_up_that_races_with_the_revocation_is_not_remembered(sessions, tokens):
    for _ in range(40):
        token, secret = await tokens.create(ADMIN, CreateTokenRequest())
        racing = [asyncio.create_task(sessions.authenticate(secret)) for _ in range(4)]
        await asyncio.gather(tokens.revoke(ADMIN, token.token_id), *racing, return_exceptions=True)
        with pytest.raises(UnauthenticatedError):
            await sessions.authenticate(secret)


async def test_simultaneous_first_calls_share_one_session(sessions, tokens):
    _, secret = await tokens.create(ADMIN, CreateTokenRequest())
    first, second = await asyncio.gather(sessions.authenticate(secret), sessions.authenticate(secret))
    assert first is second


async def test_stream_that_waits_ends_with_the_session(sessions, tokens):
    token, secret = await tokens.create(ADMIN, CreateTokenRequest())
    session = await sessions.authenticate(secret)
    seen = []

    async def read() -> None:
        async for number in while_open(session, endless()):
            seen.append(number)
            first.set()

    first = asyncio.Event()
    reading = asyncio.create_task(read())
    await first.wait()
    await tokens.revoke(ADMIN, token.token_id)
    with pytest.raises(UnauthenticatedError, match="revoked"):
        await reading
    assert seen == [0]
    assert not session.streams


async def test_stream_that_is_sending_ends_when_it_comes_back(sessions, tokens):
    _, secret = await tokens.create(ADMIN, CreateTokenRequest())
    session = await sessions.authenticate(secret)
    stream = while_open(session, endless(5))
    assert await anext(stream) == 0
    sessions.end(lambda _: True, token_revoked())
    with pytest.raises(UnauthenticatedError):
        await anext(stream)


async def test_stream_that_nobody_reads_is_cut_off_with_a_status(sessions, tokens):
    _, secret = await tokens.create(ADMIN, CreateTokenRequest())
    session = await sessions.authenticate(secret)
    sending = asyncio.Event()
    told: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def abort(error: object) -> None:
        told.set_result(error)

    async def send() -> None:
        async for _ in while_open(session, endless(), abort):
            sending.set()
            await asyncio.Event().wait()  # the peer takes nothing more

    task = asyncio.create_task(send())
    await sending.wait()
    sessions.end(lambda _: True, token_revoked())
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert (await asyncio.wait_for(told, 5)).reason == "TOKEN_REVOKED"


async def test_upload_ends_with_the_session(sessions, tokens):
    token, secret = await tokens.create(ADMIN, CreateTokenRequest())
    session = await sessions.authenticate(secret)
    uploading = asyncio.create_task(call_while_open(session, asyncio.Event().wait))
    await asyncio.sleep(0)
    await tokens.revoke(ADMIN, token.token_id)
    with pytest.raises(UnauthenticatedError, match="revoked"):
        await uploading


async def test_stream_that_its_client_cancels_is_cancelled_and_forgotten(sessions, tokens):
    _, secret = await tokens.create(ADMIN, CreateTokenRequest())
    session = await sessions.authenticate(secret)
    waiting = asyncio.create_task(anext(while_open(session, endless(0))))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not session.streams
    assert session.timer is None


async def test_stream_does_not_open_in_a_session_that_is_over(sessions, tokens):
    _, secret = await tokens.create(ADMIN, CreateTokenRequest())
    session = await sessions.authenticate(secret)
    sessions.end(lambda _: True, token_revoked())
    with pytest.raises(UnauthenticatedError):
        await anext(while_open(session, endless()))
