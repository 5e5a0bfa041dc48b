"""The executor's settings: one table of name, default and help."""

import os
import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from aerlock.server_settings import Address, ServerSettings, SocketPath
from aerlock.server_tls import TlsFiles
from aerlock_executor.cell.tiers import Tier

MIB = 1 << 20
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")


def _check_environment_name(name: str) -> str:
    if not _ENVIRONMENT_NAME.fullmatch(name) or name == "default":
        raise ValueError(
            f"{name!r} is no name for an environment: letters, digits and . _ : / - are, up to 128, and"
            " 'default' is the executor's own"
        )
    return name


EnvironmentName = Annotated[str, AfterValidator(_check_environment_name)]


class ExecutorSettings(ServerSettings):
    """Runs programs in sealed cells for the gateway, which dials the socket."""

    table: ClassVar[str] = "executor"

    data_dir: Path = Field(
        Path("executor"), description="directory of spools and blobs, for the executor alone"
    )
    socket: SocketPath = Field(
        Path("executor.sock"),
        validate_default=True,
        description="unix socket to listen on; its directory is the access check",
    )
    listen: Address | None = Field(
        None, description="host:port to listen on besides, for a gateway elsewhere; it needs the next three"
    )
    tls_certificate: Path | None = Field(None, description="PEM file of the certificate, with its chain")
    tls_key: Path | None = Field(None, description="PEM file of its key, readable by the executor alone")
    tls_client_ca: Path | None = Field(
        None, description="PEM file of a CA for this alone: whoever has a certificate of it may run code here"
    )
    slots: int = Field(0, ge=0, le=256, description="jobs that run at the same time; 0 is one per core")
    warm_cells: int = Field(1, ge=0, le=64, description="cells kept ready for jobs to come")
    zygote_jobs: int = Field(
        1000, ge=1, description="jobs after which the process that cells are forked from is replaced"
    )
    environments: dict[EnvironmentName, Path] = Field(
        {},
        description="virtual environments, or interpreters, that jobs may choose by name in `options.image`;"
        " each needs Aerlock of this version",
    )
    sandbox: Literal["bubblewrap", "landlock"] = Field(
        "bubblewrap",
        description="what isolates programs: `landlock` is the reduced tier, for machines that refuse user"
        " namespaces",
    )
    insecure_no_sandbox: bool = Field(
        False, description="isolate nothing: for programs of your own, on this machine alone"
    )
    max_execution_time: int = Field(10_800, ge=1, description="wall time limit of any job, in seconds")
    cancel_grace: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="seconds from SIGINT to SIGTERM for a program that is cancelled or out of time",
    )
    cpu_seconds: int = Field(
        0, ge=0, description="CPU time limit of any job, in seconds; 0 is its wall time limit x cores"
    )
    memory_bytes: int = Field(2048 * MIB, ge=64 * MIB, description="memory that a program may allocate")
    scratch_bytes: int = Field(256 * MIB, ge=MIB, description="size of a job's private /tmp")
    scratch_files: int = Field(16_384, ge=16, description="files, directories and links in a job's /tmp")
    threads: int = Field(128, ge=4, description="threads of one job")
    open_files: int = Field(256, ge=32, description="file descriptors of one job")
    result_bytes: int = Field(1024 * MIB, ge=MIB, description="bytes of results of one job")
    events_per_second: int = Field(
        100_000,
        ge=0,
        description="interim results of one job a second, with five seconds' worth at once; 0 is any",
    )
    log_bytes: int = Field(16 * MIB, ge=0, description="bytes of stdout and stderr kept of one job")
    blob_cache_bytes: int = Field(
        4096 * MIB, ge=0, description="bytes of large values kept that no job needs at the moment"
    )
    stop_on_stdin_eof: bool = Field(False, description="stop when standard input closes")

    @property
    def slot_count(self) -> int:
        """Jobs that run at the same time."""
        return self.slots or os.cpu_count() or 1

    @model_validator(mode="after")
    def _check_transport(self) -> Self:
        if self.listen and not (self.tls_certificate and self.tls_key and self.tls_client_ca):
            raise ValueError(
                "listen needs tls_certificate, tls_key and tls_client_ca: an executor runs code for"
                " whoever may call it, so on TCP both sides show a certificate"
            )
        return self

    @model_validator(mode="after")
    def _check_sandbox(self) -> Self:
        if self.insecure_no_sandbox and self.sandbox != "bubblewrap":
            raise ValueError("insecure_no_sandbox and sandbox contradict each other: drop one")
        if self.insecure_no_sandbox and self.listen:
            raise ValueError(
                "insecure_no_sandbox does not go with listen: programs that nothing isolates are for this"
                " machine alone"
            )
        return self

    @property
    def tier(self) -> Tier:
        """How strongly cells are isolated."""
        if self.insecure_no_sandbox:
            return Tier.NONE
        return Tier.REDUCED if self.sandbox == "landlock" else Tier.FULL

    @property
    def tls(self) -> TlsFiles | None:
        """The files for `listen`."""
        if self.tls_certificate is None or self.tls_key is None or self.tls_client_ca is None:
            return None
        return TlsFiles(self.tls_certificate, self.tls_key, self.tls_client_ca)
