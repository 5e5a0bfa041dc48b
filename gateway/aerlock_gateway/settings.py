"""The gateway's settings: one table of name, default and help."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from aerlock.server_settings import Address, ServerSettings, SocketPath, is_loopback
from aerlock.server_tls import TlsFiles


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _to_networks(value: object) -> object:
    networks: Any = _split(value)
    return tuple(ip_network(part) if isinstance(part, str) else part for part in networks)


class GatewaySettings(ServerSettings):
    """Serves the catalog and the jobs, and has an executor run them."""

    table: ClassVar[str] = "gateway"

    data_dir: Path = Field(
        Path("gateway"), description="directory of database and blobs, for the gateway alone"
    )
    listen: Annotated[tuple[Address, ...], NoDecode, BeforeValidator(_split)] = Field(
        ("127.0.0.1:8765",),
        description="addresses host:port without TLS, separated by commas; port 0 takes any free one. Beyond"
        " loopback they need `plaintext_from`",
    )
    listen_tls: Annotated[tuple[Address, ...], NoDecode, BeforeValidator(_split)] = Field(
        (), description="addresses host:port with TLS, separated by commas; they need `tls_certificate`"
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file of the certificate, with its chain, for `listen_tls`"
    )
    tls_key: Path | None = Field(None, description="PEM file of its key, readable by the gateway alone")
    tls_client_ca: Path | None = Field(
        None,
        description="PEM file of a CA: with it, TLS clients need a certificate of it besides their token",
    )
    plaintext_from: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_to_networks)
    ] = Field(
        (),
        description="networks such as 10.1.0.0/16, separated by commas, whose clients may come without TLS:"
        " tokens and values travel in the clear there",
    )
    socket: SocketPath = Field(
        Path("gateway.sock"),
        validate_default=True,
        description="unix socket to listen on; its directory is the access check",
    )
    executor_socket: SocketPath = Field(
        Path("executor.sock"), validate_default=True, description="unix socket of the executor"
    )
    executor_address: Address | None = Field(
        None,
        description="host:port of an executor elsewhere, in place of the socket; it needs the next three",
    )
    executor_ca: Path | None = Field(None, description="PEM file of the CA of the executor's certificate")
    executor_certificate: Path | None = Field(
        None, description="PEM file of the certificate that the gateway shows to the executor"
    )
    executor_key: Path | None = Field(None, description="PEM file of its key, readable by the gateway alone")
    address_file: Path | None = Field(
        None, description="file to write the addresses to that the gateway listens on, as a JSON list"
    )
    max_queued_jobs: int = Field(1000, ge=1, description="jobs that may wait at the same time")
    max_queued_jobs_per_account: int = Field(
        500, ge=0, description="jobs of one account that may wait, unless the account has a limit of its own"
    )
    max_running_jobs_per_account: int = Field(
        1000, ge=0, description="jobs of one account that may run, unless the account has a limit of its own"
    )
    max_streams: int = Field(
        4000, ge=1, description="streams of events, WatchJob and WatchJobs, that may be open at the same time"
    )
    max_streams_per_account: int = Field(1000, ge=1, description="such streams of one account")
    keepalive_interval: float = Field(
        60.0,
        ge=0.1,
        le=86_400,
        description="seconds without traffic after which a client is pinged; it may ping twice as often",
    )
    max_execution_time: int = Field(10_800, ge=1, description="wall time limit of any job, in seconds")
    max_blob_bytes: int = Field(1 << 30, ge=1, description="bytes of the largest value")
    max_upload_bytes: int = Field(
        8 << 30, ge=1, description="bytes of large values that an account may write before a job uses them"
    )
    keep_jobs_days: float | None = Field(
        None, gt=0, le=36_500, description="days that a job is kept after its end; by default for ever"
    )
    keep_jobs_count: int | None = Field(
        None, ge=0, description="jobs that are kept after their end, the latest; by default all"
    )
    keep_jobs_bytes: int | None = Field(
        None,
        ge=0,
        description="bytes of inputs, logs and large values of the jobs that are kept after their end, the"
        " latest; by default all",
    )
    executor_lease: float = Field(
        60.0, gt=0, description="seconds after which a job fails whose executor cannot be reached"
    )
    reflection: bool = Field(True, description="describe the services to whoever asks, without a token")
    stop_on_stdin_eof: bool = Field(False, description="stop when standard input closes")

    @model_validator(mode="after")
    def _check_transport(self) -> Self:
        beyond = [address for address in self.listen if not is_loopback(address)]
        if beyond and not self.plaintext_from:
            raise ValueError(
                f"listen: {beyond[0]!r} is not a loopback address, and tokens would travel in the clear: use"
                " listen_tls, or name the networks that may come without TLS in plaintext_from"
            )
        if self.listen_tls and not (self.tls_certificate and self.tls_key):
            raise ValueError("listen_tls needs tls_certificate and tls_key")
        if self.executor_address and not (
            self.executor_ca and self.executor_certificate and self.executor_key
        ):
            raise ValueError(
                "executor_address needs executor_ca, executor_certificate and executor_key: an executor on"
                " TCP runs code for whoever may call it"
            )
        return self

    @property
    def is_local(self) -> bool:
        """Whether this machine alone reaches the gateway."""
        return all(is_loopback(address) for address in (*self.listen, *self.listen_tls))

    @property
    def tls(self) -> TlsFiles | None:
        """The files for `listen_tls`."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return TlsFiles(self.tls_certificate, self.tls_key, self.tls_client_ca)

    @property
    def executor_tls(self) -> TlsFiles | None:
        """The files for `executor_address`."""
        if self.executor_certificate is None or self.executor_key is None:
            return None
        return TlsFiles(self.executor_certificate, self.executor_key, self.executor_ca)
