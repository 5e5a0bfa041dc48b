"""The connection to a server: how it is secured, kept alive and retried, and how its errors become ours."""

import ipaddress
import json
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from aerlock.credentials import Credentials, TlsFiles
from aerlock.exceptions import (
    BY_REASON,
    BY_STATUS,
    AerlockError,
    InputValueError,
    NotAuthorizedError,
    QuotaExceededError,
    ServerUnavailableError,
)
from aerlock.v1 import (
    accounts_pb2_grpc,
    backends_pb2_grpc,
    blobs_pb2_grpc,
    jobs_pb2_grpc,
    programs_pb2_grpc,
    server_pb2_grpc,
)

CALL_TIMEOUT_SECONDS: Final = 60.0
# Every unary method is idempotent, RunProgram and UploadProgram by their request ids, but for
# CreateToken, CreateAccount and RevokeToken: those are for a person to repeat.
_RETRIED: Final = [
    {"service": "aerlock.v1.ProgramService"},
    {"service": "aerlock.v1.AccountService", "method": "GetAccount"},
    {"service": "aerlock.v1.AccountService", "method": "ListAccounts"},
    {"service": "aerlock.v1.AccountService", "method": "UpdateAccount"},
    {"service": "aerlock.v1.AccountService", "method": "ListTokens"},
    {"service": "aerlock.v1.AccountService", "method": "ListAuditEntries"},
    {"service": "aerlock.v1.BackendService"},
    {"service": "aerlock.v1.ServerService"},
    {"service": "aerlock.v1.BlobService", "method": "FindMissingBlobs"},
    {"service": "aerlock.v1.JobService", "method": "RunProgram"},
    {"service": "aerlock.v1.JobService", "method": "GetJob"},
    {"service": "aerlock.v1.JobService", "method": "ListJobs"},
    {"service": "aerlock.v1.JobService", "method": "CancelJob"},
]
_RETRY_POLICY: Final = {
    "maxAttempts": 5,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 3,
    # grpc.aio answers CANCELLED to the calls that a stopping server has not begun.
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
}
KEEPALIVE_SECONDS: Final = 60.0
"""Seconds without traffic after which either side pings the other while a call is open."""
_OPTIONS: Final = (
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 0),
    # A watcher notices a restarted server soon.
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.service_config", json.dumps({"methodConfig": [{"name": _RETRIED, "retryPolicy": _RETRY_POLICY}]})),
)

# A proxy from the environment must never see what is plaintext because it stays on this machine.
_LOCAL_OPTIONS: Final = (*_OPTIONS, ("grpc.enable_http_proxy", 0))

Request = TypeVar("Request", contravariant=True)
Response = TypeVar("Response", covariant=True)


class _Method(Protocol[Request, Response]):
    def __call__(self, request: Request, /, *, timeout: float, metadata: Any) -> Response: ...  # noqa: ANN401


class Connection:
    """One channel with the stubs of the services on it; safe to use from any thread."""

    def __init__(self, credentials: Credentials, keepalive_seconds: float = KEEPALIVE_SECONDS) -> None:
        self.address = credentials.address
        self._metadata = (("authorization", f"Bearer {credentials.token}"),)
        self._channel = open_channel(credentials.address, credentials.tls, keepalive_seconds)
        self._process = os.getpid()
        self._closed = False
        self.account = ""
        """The account of the token, once an answer has told it."""
        self.programs = programs_pb2_grpc.ProgramServiceStub(self._channel)
        self.accounts = accounts_pb2_grpc.AccountServiceStub(self._channel)
        self.jobs = jobs_pb2_grpc.JobServiceStub(self._channel)
        self.backends = backends_pb2_grpc.BackendServiceStub(self._channel)
        self.blobs = blobs_pb2_grpc.BlobServiceStub(self._channel)
        self.server = server_pb2_grpc.ServerServiceStub(self._channel)

    def call(self, method: "_Method[Request, Response]", request: Request) -> Response:
        """Calls a unary method; raises the exceptions of `aerlock.exceptions`."""
        self.check_open()
        try:
            return method(request, timeout=CALL_TIMEOUT_SECONDS, metadata=self._metadata)
        except grpc.RpcError as error:
            self.check_open()
            raise to_exception(error) from None

    def open_stream(self, method: Callable[..., Any], request: object, timeout: float | None = None) -> Any:  # noqa: ANN401
        """Opens a stream of responses, which ends with a grpc.RpcError or with its last response.

        Where ``request`` is a stream of requests, sends it and returns the response.
        Raises `AerlockError` after `close`.
        """
        self.check_open()
        return method(request, timeout=timeout, metadata=self._metadata)

    def close(self) -> None:
        """Ends every call and the connection."""
        self._closed = True
        self._channel.close()

    @property
    def is_inherited(self) -> bool:
        """Whether this process was forked from the one that made the connection: its threads are not here."""
        return os.getpid() != self._process

    def check_open(self) -> None:
        """Raises `AerlockError` in a forked process, and after `close`, which ends calls in many ways."""
        if self.is_inherited:
            raise AerlockError(
                "this service belongs to the process that this one was forked from: make another"
                " RuntimeService here, or start the process by `spawn`"
            )
        if self._closed:
            raise AerlockError("the service was closed")


def open_channel(
    address: str, tls: TlsFiles | None = None, keepalive_seconds: float = KEEPALIVE_SECONDS
) -> grpc.Channel:
    """Opens a channel: plaintext and direct to unix sockets and loopback only, TLS to any other address.

    With ``tls`` it is TLS to loopback too. ``keepalive_seconds`` without traffic bring a ping.
    Raises `InputValueError` for files that cannot be used.
    """
    local = is_local(address)
    options = (
        *(_LOCAL_OPTIONS if local else _OPTIONS),
        ("grpc.keepalive_time_ms", round(keepalive_seconds * 1000)),
    )
    if local and not (tls and not address.startswith("unix:")):
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, _tls_credentials(tls or TlsFiles()), options=options)


def _tls_credentials(tls: TlsFiles) -> grpc.ChannelCredentials:
    if bool(tls.client_certificate) != bool(tls.client_key):
        raise InputValueError("client_certificate and client_key belong together: give both")
    try:
        if tls.root_certificates:
            # gRPC says nothing of what it cannot read, but for a handshake that fails.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(tls.root_certificates)
        if tls.client_key and Path(tls.client_key).stat().st_mode & 0o077 and os.name == "posix":
            raise NotAuthorizedError(
                f"others may read the key {tls.client_key}: run `chmod 600 {tls.client_key}`"
            )
        roots, certificate, key = (
            Path(name).read_bytes() if name else None
            for name in (tls.root_certificates, tls.client_certificate, tls.client_key)
        )
    except ssl.SSLError:
        raise InputValueError(f"root_certificates: {tls.root_certificates} holds none in PEM") from None
    except OSError as error:
        name = error.filename or tls.root_certificates
        raise InputValueError(f"cannot read the TLS file {name}: {error.strerror}") from None
    return grpc.ssl_channel_credentials(roots, key, certificate)


def is_local(address: str) -> bool:
    """Whether what is sent to ``address`` stays on this machine; raises `InputValueError` if malformed."""
    if address.startswith("unix:"):
        return True
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit() or "/" in host:
        raise InputValueError(f"{address!r} is not an address: write host:port or unix:/path/to/socket")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns a grpc.RpcError into one of `aerlock.exceptions`."""
    try:
        yield
    except grpc.RpcError as error:
        raise to_exception(error) from None


def to_exception(error: grpc.RpcError) -> AerlockError:
    """The exception for a status, by reason and then by code."""
    call = cast("grpc.Call", error)
    status = rpc_status.from_call(call) or status_pb2.Status(message=call.details() or "")
    reason = next((info.reason for info in _details(status, error_details_pb2.ErrorInfo)), "")
    kind = BY_REASON.get(reason) or BY_STATUS.get(call.code().name, AerlockError)
    message = status.message or f"the server answered {call.code().name}"
    if kind is ServerUnavailableError and "failed to connect" in message:
        message = (
            f"no Aerlock answers there: start one with `aerlock up`, or pass another address= ({message})"
        )
    if kind is InputValueError:
        requests = _details(status, error_details_pb2.BadRequest)
        violations = [(item.field, item.description) for bad in requests for item in bad.field_violations]
        return InputValueError(message, reason, violations)
    if kind is QuotaExceededError:
        delays = [info.retry_delay.ToTimedelta() for info in _details(status, error_details_pb2.RetryInfo)]
        return QuotaExceededError(message, reason, delays[0].total_seconds() if delays else None)
    return kind(message, reason)


def _details(status: status_pb2.Status, kind: type[Any]) -> Iterator[Any]:
    for packed in status.details:
        detail = kind()
        if packed.Unpack(detail):
            yield detail
