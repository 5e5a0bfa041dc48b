"""The gateway's settings: one table of name, default and help."""

import ipaddress
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from aerlock.server_settings import ServerSettings, SocketPath


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _check_address(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{address!r} is not host:port, as in 127.0.0.1:8765")
    if host == "localhost":
        return address
    try:
        is_loopback = ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(
            f"{address!r} is not a loopback address, and this version has no TLS: tokens would travel in the"
            " clear. Listen on 127.0.0.1 and let a proxy with TLS or an SSH tunnel stand before it"
        )
    return address


Address = Annotated[str, AfterValidator(_check_address)]


class GatewaySettings(ServerSettings):
    """Serves the catalog and the jobs, and has an executor run them."""

    table: ClassVar[str] = "gateway"

    data_dir: Path = Field(
        Path("gateway"), description="directory of database and blobs, for the gateway alone"
    )
    listen: Annotated[tuple[Address, ...], NoDecode, BeforeValidator(_split)] = Field(
        ("127.0.0.1:8765",),
        description="loopback addresses host:port, separated by commas; port 0 takes any free one",
    )
    socket: SocketPath = Field(
        Path("gateway.sock"),
        validate_default=True,
        description="unix socket to listen on; its directory is the access check",
    )
    executor_socket: SocketPath = Field(
        Path("executor.sock"), validate_default=True, description="unix socket of the executor"
    )
    address_file: Path | None = Field(
        None, description="file to write the addresses to that the gateway listens on, as a JSON list"
    )
    max_queued_jobs: int = Field(1000, ge=1, description="jobs that may wait at the same time")
    max_execution_time: int = Field(10_800, ge=1, description="wall time limit of any job, in seconds")
    max_blob_bytes: int = Field(1 << 30, ge=1, description="bytes of the largest value")
    max_upload_bytes: int = Field(
        8 << 30, ge=1, description="bytes of large values that an account may write before a job uses them"
    )
    executor_lease: float = Field(
        60.0, gt=0, description="seconds after which a job fails whose executor cannot be reached"
    )
    reflection: bool = Field(True, description="describe the services to whoever asks, without a token")
    stop_on_stdin_eof: bool = Field(False, description="stop when standard input closes")
