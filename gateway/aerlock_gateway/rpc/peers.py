"""Who may come without TLS: this machine, and the networks of the setting ``plaintext_from``."""

import inspect
from collections.abc import AsyncIterator, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import unquote

import grpc
from google.rpc import code_pb2

from aerlock_gateway.rpc.interceptors import Context, Continuation, abort_with

Network = IPv4Network | IPv6Network

# Interceptors see every message of every service: there is no narrower type.
# ruff: noqa: ANN401


class PeerInterceptor(grpc.aio.ServerInterceptor):
    """Refuses every method, health and reflection too, to peers without TLS from elsewhere.

    It comes before authentication: gRPC has read the metadata and at most one
    message by then, and nobody has looked at them.
    """

    def __init__(self, plaintext_from: Sequence[Network]) -> None:
        self._networks = tuple(plaintext_from)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Wraps the method; see grpc.aio."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        names = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
        name = next(name for name in names if getattr(handler, name))
        behavior = self._wrap(getattr(handler, name))
        make = getattr(grpc, f"{name}_rpc_method_handler")
        return make(behavior, handler.request_deserializer, handler.response_serializer)

    def _wrap(self, behavior: Any) -> Any:
        async def call(request: Any, context: Context) -> Any:
            await self._check(context)
            return await behavior(request, context)

        async def follow(request: Any, context: Context) -> AsyncIterator[Any]:
            await self._check(context)
            async for response in behavior(request, context):
                yield response

        # A stream of responses may also be a coroutine that writes them, as health's is.
        return follow if inspect.isasyncgenfunction(behavior) else call

    async def _check(self, context: Context) -> None:
        if context.auth_context().get("transport_security_type") != [b"ssl"] and not may_come_in_plaintext(
            context.peer(), self._networks
        ):
            message = (
                "without TLS this server answers only to its own machine and to the networks in its setting"
                " plaintext_from: connect with TLS"
            )
            await abort_with(context, code_pb2.PERMISSION_DENIED, message, "PLAINTEXT_REFUSED", [])


def may_come_in_plaintext(peer: str, networks: Sequence[Network]) -> bool:
    """Whether a peer, as gRPC names it, is on this machine or in one of the networks."""
    kind, _, rest = unquote(peer).partition(":")
    if kind == "unix":
        return True
    host = rest.rpartition(":")[0].removeprefix("[").removesuffix("]")
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback or any(address in network for network in networks)
