"""Gateway and executor apart, each as a process under its own uid, and generated stubs to talk to them."""

import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from grpc_status.rpc_status import from_call
from integration.executor_driver import Executor, executor_of_its_own

from aerlock.cli.commands import bootstrap_command, executor_command, gateway_command
from aerlock.cli.layout import Layout
from aerlock.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    backends_pb2_grpc,
    blobs_pb2_grpc,
    jobs_pb2_grpc,
    programs_pb2,
    programs_pb2_grpc,
    server_pb2_grpc,
)


class Server:
    """One server of ``layout`` as a process under the uid that it has in production."""

    def __init__(self, layout: Layout, command: Callable[[Layout, Sequence[str]], list[str]]) -> None:
        self.layout = layout
        self._command = command
        self._log = layout.data_dir / f"{command.__name__}.log"
        self.process: subprocess.Popen[str] | None = None

    def start(self, *flags: str) -> None:
        with self._log.open("a") as stderr:
            self.process = subprocess.Popen(
                self._command(self.layout, flags),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout.readline() == "ready\n", self.stderr

    def refuse_to_start(self, *flags: str) -> subprocess.CompletedProcess[str]:
        command = self._command(self.layout, flags)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        process, self.process = self.process, None
        with process:
            return process.wait(timeout=60)

    @property
    def stderr(self) -> str:
        return self._log.read_text()


class Gateway(Server):
    """A gateway, and generated stubs to talk to it."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout, gateway_command)

    def start(self, *flags: str) -> None:
        super().start("--listen", "127.0.0.1:0", *flags)

    def bootstrap(self, token: str = "") -> str:
        command = bootstrap_command(self.layout)
        result = subprocess.run(
            command, input=f"{token}\n", capture_output=True, text=True, check=True, timeout=60
        )
        return result.stdout.strip()

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """Opens the database; only while no gateway runs, since WAL files take their maker's owner."""
        with closing(sqlite3.connect(self.layout.gateway_data / "gateway.db")) as connection, connection:
            yield connection

    @contextmanager
    def client(self, token: str) -> Iterator[SimpleNamespace]:
        """Gives the stubs of all services, with the token in every call; "" sends none."""
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        with grpc.insecure_channel(f"unix:{self.layout.gateway_socket}") as channel:
            stubs = {
                "accounts": accounts_pb2_grpc.AccountServiceStub(channel),
                "programs": programs_pb2_grpc.ProgramServiceStub(channel),
                "jobs": jobs_pb2_grpc.JobServiceStub(channel),
                "backends": backends_pb2_grpc.BackendServiceStub(channel),
                "blobs": blobs_pb2_grpc.BlobServiceStub(channel),
                "server": server_pb2_grpc.ServerServiceStub(channel),
            }
            yield SimpleNamespace(channel=channel, metadata=metadata, **stubs)


@contextmanager
def _layout() -> Iterator[Layout]:
    # Not tmp_path: a unix socket's path has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="aerlock-test-"))
    layout = Layout.choose(folder / "data", None)
    layout.make()
    try:
        yield layout
    finally:
        shutil.rmtree(folder)


@contextmanager
def _killed_at_the_end(*servers: Server) -> Iterator[None]:
    try:
        yield
    finally:
        for server in servers:
            if server.process:
                server.stop(signal.SIGKILL)


@pytest.fixture
def make_gateway() -> Iterator[Callable[[], Gateway]]:
    """Makes gateways of the test's own, not started yet."""
    with ExitStack() as stack:

        def make() -> Gateway:
            gateway = Gateway(stack.enter_context(_layout()))
            stack.enter_context(_killed_at_the_end(gateway))
            return gateway

        yield make


@pytest.fixture
def pair() -> Iterator[SimpleNamespace]:
    """A gateway and an executor of the test's own, neither started yet, and a token."""
    with _layout() as layout:
        gateway, executor = Gateway(layout), Server(layout, executor_command)
        with _killed_at_the_end(gateway, executor):
            yield SimpleNamespace(gateway=gateway, executor=executor, token=gateway.bootstrap())


@pytest.fixture(scope="module")
def gateway() -> Iterator[SimpleNamespace]:
    """A running gateway that the tests of a module share, with the token of its first account."""
    with _layout() as layout:
        gateway = Gateway(layout)
        token = gateway.bootstrap()
        with _killed_at_the_end(gateway):
            gateway.start()
            yield SimpleNamespace(gateway=gateway, token=token)


@pytest.fixture
def client(gateway):
    with gateway.gateway.client(gateway.token) as client:
        yield client


@pytest.fixture(scope="session")
def make_account() -> Callable[..., tuple[tuple[str, str]]]:
    """Makes an account through an admin's client; returns the metadata with its token."""

    def make(admin: SimpleNamespace, name: str, role: str = "author", **limits: int):
        account = accounts_pb2.Account(
            name=name,
            role=accounts_pb2.Role.Value(f"ROLE_{role.upper()}"),
            limits=accounts_pb2.AccountLimits(**limits),
        )
        request = accounts_pb2.CreateAccountRequest(account=account)
        admin.accounts.CreateAccount(request, metadata=admin.metadata)
        answer = admin.accounts.CreateToken(
            accounts_pb2.CreateTokenRequest(account=name), metadata=admin.metadata
        )
        return (("authorization", f"Bearer {answer.secret}"),)

    return make


@pytest.fixture(scope="session")
def make_program() -> Callable[..., programs_pb2.Program]:
    """Makes a program to upload; ``source`` is program.py, ``files`` all files, keywords its fields."""

    def make(
        source: bytes = b"def main(backend, user_messenger, **kwargs): pass",
        files: Mapping[str, bytes] | None = None,
        **fields: object,
    ):
        standard = {
            "name": "sample",
            "description": "A sample.",
            "max_execution_time": Duration(seconds=60),
            "source": programs_pb2.ProgramSource(files=files or {"program.py": source}),
        }
        return programs_pb2.Program(**{**standard, **fields})

    return make


@pytest.fixture(scope="session")
def refused() -> Callable[..., SimpleNamespace]:
    """Calls what must fail; returns code, message, reason and the violations by field."""

    def finish(method, request, metadata) -> None:
        response = method(request, metadata=metadata, timeout=30)
        if hasattr(response, "__next__"):
            list(response)

    def call(method, request, metadata=()) -> SimpleNamespace:
        with pytest.raises(grpc.RpcError) as raised:
            finish(method, request, metadata)
        status = from_call(raised.value)
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        quota, retry = error_details_pb2.QuotaFailure(), error_details_pb2.RetryInfo()
        for detail in status.details if status else ():
            for message in (info, bad, quota, retry):
                detail.Unpack(message)
        return SimpleNamespace(
            code=raised.value.code(),
            message=raised.value.details(),
            reason=info.reason,
            violations={v.field: v.description for v in bad.field_violations},
            quota={v.subject: v.description for v in quota.violations},
            retry_seconds=retry.retry_delay.ToTimedelta().total_seconds(),
        )

    return call


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """An executor that the tests of a module share."""
    with executor_of_its_own() as executor:
        executor.start()
        yield executor
