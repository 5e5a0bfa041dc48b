"""What stands before every method: errors become statuses, and callers say who they are."""

import logging
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status.rpc_status import to_status

from aerlock_gateway.core.access import Account
from aerlock_gateway.core.answers import Answers
from aerlock_gateway.core.sessions import Session, Sessions, call_while_open, while_open
from aerlock_gateway.errors import (
    ExhaustedError,
    GatewayError,
    InvalidArgumentError,
    UnauthenticatedError,
    UnavailableError,
    Violation,
)

logger = logging.getLogger(__name__)

caller: Final[ContextVar[Account]] = ContextVar("caller")
"""The account that makes the present call; set before a method runs that needs a token."""

_DOMAIN: Final = "aerlock"
# Details and message travel in trailers, of which clients take 8 KiB.
_LONGEST_MESSAGE: Final = 1024
_LARGEST_VIOLATIONS: Final = 3 * 1024
_OUR_SERVICES: Final = "/aerlock."
_BEARER: Final = "bearer "

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Any
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]

# Interceptors see every message of every service: there is no narrower type.
# ruff: noqa: ANN401


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """The one place where exceptions become statuses; no traceback reaches a caller."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Wraps the method; see grpc.aio."""
        handler = await continuation(handler_call_details)
        # Health and reflection speak for themselves, and health's Watch is no generator.
        if handler is None or not handler_call_details.method.startswith(_OUR_SERVICES):
            return handler
        read = partial(_read, handler)
        unary, stream = partial(_unary_with_errors, read), partial(_stream_with_errors, read)
        return _wrap(handler, handler_call_details.method, unary, stream, is_read=False)


class AuthenticationInterceptor(grpc.aio.ServerInterceptor):
    """Asks for ``authorization: Bearer TOKEN`` before every method but those of the open services.

    Every call ends when its token or its account no longer lets in.
    """

    def __init__(self, sessions: Sessions, open_services: Sequence[str]) -> None:
        self._sessions = sessions
        self._open = tuple(f"/{service}/" for service in open_services)
        self._answers = Answers()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Wraps the method; see grpc.aio."""
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(self._open):
            return handler
        unary = self._upload if handler.request_streaming else self._unary
        return _wrap(handler, handler_call_details.method, unary, self._stream)

    async def _unary(self, method: str, behavior: Any, request: Any, context: Context) -> Any:
        session = await self._authenticate(context)
        answer = self._answers.begin(session.account.name, method.rpartition("/")[2])
        # The stubs have a class of callbacks for what is any callable.
        context.add_done_callback(lambda _: answer.release())  # type: ignore[arg-type]
        # It may wait for its turn for long. A moment's grace is for the call that ends its own session.
        response = await call_while_open(session, lambda: behavior(request, context), at_once=False)
        answer.is_made(response.ByteSize())
        return response

    async def _upload(self, method: str, behavior: Any, requests: Any, context: Context) -> Any:
        session = await self._authenticate(context)
        return await call_while_open(session, lambda: behavior(requests, context))

    async def _stream(self, method: str, behavior: Any, request: Any, context: Context) -> AsyncIterator[Any]:
        session = await self._authenticate(context)

        async def abort(error: GatewayError) -> None:
            with suppress(grpc.aio.AbortError, grpc.aio.UsageError):
                await _abort(method, error, context)

        async for response in while_open(session, behavior(request, context), abort):
            yield response

    async def _authenticate(self, context: Context) -> Session:
        values = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
        if not values:
            raise UnauthenticatedError(
                'send the metadata "authorization: Bearer TOKEN"', reason="TOKEN_MISSING"
            )
        value = values[0] if isinstance(values[0], str) else ""
        if len(values) > 1 or not value.lower().startswith(_BEARER):
            raise UnauthenticatedError('the metadata "authorization" must be one "Bearer TOKEN"')
        session = await self._sessions.authenticate(value[len(_BEARER) :].strip())
        caller.set(session.account)
        return session


def _wrap(handler: Handler, method: str, unary: Any, stream: Any, is_read: bool = True) -> Handler:
    """Returns the handler with ``unary`` or ``stream`` called around its behaviour.

    Without ``is_read`` they get requests as bytes.
    """
    behavior = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream

    async def call(request: Any, context: Context) -> Any:
        return await unary(method, behavior, request, context)

    async def follow(request: Any, context: Context) -> AsyncIterator[Any]:
        async for response in stream(method, behavior, request, context):
            yield response

    make: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[bool(handler.request_streaming), bool(handler.response_streaming)]
    return make(
        follow if handler.response_streaming else call,
        request_deserializer=handler.request_deserializer if is_read else None,
        response_serializer=_passing_bytes(handler.response_serializer),
    )


def _passing_bytes(serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Lets a method answer with a message that is serialized already."""
    return lambda response: response if isinstance(response, bytes) else serialize(response)


def _read(handler: Handler, request: Any) -> Any:
    """Parses a request, or each of a stream of them; raises `InvalidArgumentError`."""

    async def read_each() -> AsyncIterator[Any]:
        async for one in request:
            yield _parse(handler, one)

    return read_each() if handler.request_streaming else _parse(handler, request)


def _parse(handler: Handler, request: bytes) -> Any:
    try:
        return handler.request_deserializer(request)
    except DecodeError:
        raise InvalidArgumentError(
            "the request's bytes are no message of this method: generate the stubs from this server's protos"
        ) from None


async def _unary_with_errors(read: Any, method: str, behavior: Any, request: Any, context: Context) -> Any:
    try:
        return await behavior(read(request), context)
    except Exception as error:
        await _abort(method, error, context)


async def _stream_with_errors(
    read: Any, method: str, behavior: Any, request: Any, context: Context
) -> AsyncIterator[Any]:
    try:
        async for response in behavior(read(request), context):
            yield response
    except Exception as error:
        await _abort(method, error, context)


async def _abort(method: str, error: Exception, context: Context) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, sqlite3.OperationalError):
        logger.error("%s: the database does not work: %s", method, error)
        error = UnavailableError(
            "the gateway's database is locked or its disk is full; nothing was changed, try again",
            retry_seconds=1,
        )
    if not isinstance(error, GatewayError):
        reference = secrets.token_hex(6)
        logger.error("%s failed, reference %s", method, reference, exc_info=error)
        message = f"the gateway failed; its log says why under the reference {reference}"
        await abort_with(context, code_pb2.INTERNAL, message, "INTERNAL", [])
        return
    await abort_with(context, error.code, error.message, error.reason, _details(error))


async def abort_with(
    context: Context, code: int, message: str, reason: str, details: list[AnyMessage]
) -> None:
    """Ends the call with a status that says why."""
    info = _pack(error_details_pb2.ErrorInfo(reason=reason, domain=_DOMAIN))
    status = status_pb2.Status(code=code, message=_shortened(message), details=[info, *details])
    rich = to_status(status)
    await context.abort(rich.code, rich.details, rich.trailing_metadata)


def _shortened(message: str) -> str:
    """Cuts a message to the bytes that it takes in a trailer, where most characters take three for one."""
    size = 0
    for position, character in enumerate(message):
        plain = " " <= character <= "~" and character != "%"
        size += 1 if plain else 3 * len(character.encode(errors="replace"))
        if size > _LONGEST_MESSAGE:
            return message[:position]
    return message


def _details(error: GatewayError) -> list[AnyMessage]:
    details = []
    if error.violations and isinstance(error, ExhaustedError):
        quota_failure = error_details_pb2.QuotaFailure()
        for violation in _bounded(error.violations):
            quota_failure.violations.add(subject=violation.field, description=violation.description)
        details.append(_pack(quota_failure))
    elif error.violations:
        bad_request = error_details_pb2.BadRequest()
        for violation in _bounded(error.violations):
            bad_request.field_violations.add(field=violation.field, description=violation.description)
        details.append(_pack(bad_request))
    if error.retry_seconds is not None:
        delay = Duration()
        delay.FromMilliseconds(int(error.retry_seconds * 1000))
        details.append(_pack(error_details_pb2.RetryInfo(retry_delay=delay)))
    return details


def _bounded(violations: Sequence[Violation]) -> list[Violation]:
    """Returns as many violations as trailers have room for."""
    kept: list[Violation] = []
    size = 0
    for violation in violations:
        size += len(violation.field.encode()) + len(violation.description.encode())
        if size > _LARGEST_VIOLATIONS:
            break
        kept.append(violation)
    return kept


def _pack(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
