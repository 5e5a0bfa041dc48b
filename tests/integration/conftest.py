"""A gateway by itself, as a process under its own uid, and generated stubs to talk to it."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from grpc_status.rpc_status import from_call

from aerlock.cli.unprivileged import GATEWAY_UID, SERVERS_GID, command_as
from aerlock.v1 import backends_pb2_grpc, jobs_pb2_grpc, programs_pb2, programs_pb2_grpc, server_pb2_grpc


@dataclass
class Gateway:
    """A gateway without an executor, on ``folder``."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    addresses: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        command = [sys.executable, "-m", "aerlock_gateway", *arguments, "--data-dir", str(self.folder)]
        return command_as(GATEWAY_UID, command, [self.folder])

    def bootstrap(self, token: str = "") -> str:
        return subprocess.run(
            self.command("bootstrap"), input=f"{token}\n", capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()

    def start(self, *flags: str) -> None:
        address_file = self.folder / "addresses.json"
        standard = ["--listen", "127.0.0.1:0", "--address-file", str(address_file)]
        with (self.folder / "stderr").open("a") as stderr:
            self.process = subprocess.Popen(
                self.command("serve", *standard, *flags),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout.readline() == "ready\n", self.stderr
        self.addresses = tuple(json.loads(address_file.read_text()))

    def refuse_to_start(self, *flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command("serve", *flags), capture_output=True, text=True, check=False, timeout=60
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        with self.process:
            status = self.process.wait(timeout=60)
        self.process = None
        return status

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    def database(self) -> sqlite3.Connection:
        """Opens the database file; only while no gateway runs, since WAL files take their maker's owner."""
        return sqlite3.connect(self.folder / "gateway.db")

    @contextmanager
    def client(self, token: str) -> Iterator[SimpleNamespace]:
        """Gives the stubs of all services, with the token in every call; "" sends none."""
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        with grpc.insecure_channel(self.addresses[0]) as channel:
            stubs = {
                "programs": programs_pb2_grpc.ProgramServiceStub(channel),
                "jobs": jobs_pb2_grpc.JobServiceStub(channel),
                "backends": backends_pb2_grpc.BackendServiceStub(channel),
                "server": server_pb2_grpc.ServerServiceStub(channel),
            }
            yield SimpleNamespace(channel=channel, metadata=metadata, **stubs)


@contextmanager
def _folder() -> Iterator[Path]:
    # Not tmp_path: a unix socket's path has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="aerlock-test-"))
    try:
        folder.chmod(0o750)
        if os.geteuid() == 0:
            os.chown(folder, GATEWAY_UID, SERVERS_GID)
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _made() -> Iterator[Gateway]:
    with _folder() as folder:
        gateway = Gateway(folder)
        try:
            yield gateway
        finally:
            if gateway.process:
                gateway.stop(signal.SIGKILL)


@pytest.fixture
def make_gateway() -> Iterator[Callable[[], Gateway]]:
    """Makes gateways of the test's own, not started yet."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(_made())


@pytest.fixture(scope="module")
def gateway() -> Iterator[SimpleNamespace]:
    """A running gateway that the tests of a module share, with the token of its first account."""
    with _made() as gateway:
        token = gateway.bootstrap()
        gateway.start()
        yield SimpleNamespace(gateway=gateway, token=token)


@pytest.fixture
def client(gateway):
    with gateway.gateway.client(gateway.token) as client:
        yield client


@pytest.fixture(scope="session")
def make_program() -> Callable[..., programs_pb2.Program]:
    """Makes a program that can be uploaded; keywords replace its fields, ``source`` that of program.py."""

    def make(source: bytes = b"def main(backend, user_messenger, **kwargs): pass", **fields: object):
        files = programs_pb2.ProgramSource(files={"program.py": source})
        standard = {
            "name": "sample",
            "description": "A sample.",
            "max_execution_time": Duration(seconds=60),
            "source": files,
        }
        return programs_pb2.Program(**{**standard, **fields})

    return make


@pytest.fixture(scope="session")
def refused() -> Callable[..., SimpleNamespace]:
    """Calls what must fail; returns code, message, reason and the violations by field."""

    def call(method, request, metadata=()) -> SimpleNamespace:
        with pytest.raises(grpc.RpcError) as raised:
            response = method(request, metadata=metadata, timeout=30)
            if hasattr(response, "__next__"):
                list(response)
        status = from_call(raised.value)
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        for detail in status.details if status else ():
            for message in (info, bad):
                detail.Unpack(message)
        return SimpleNamespace(
            code=raised.value.code(),
            message=raised.value.details(),
            reason=info.reason,
            violations={v.field: v.description for v in bad.field_violations},
        )

    return call
