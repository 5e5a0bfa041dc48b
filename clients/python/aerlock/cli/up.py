"""``aerlock up``: one gateway and one executor, started, watched and stopped together."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from aerlock.cgroup_hierarchies import remove_delegated
from aerlock.cli.commands import (
    CommandError,
    bootstrap_command,
    executor_command,
    gateway_command,
    server_environment,
)
from aerlock.cli.layout import Layout
from aerlock.credentials import Credentials, credentials_path, load_credentials, save_credentials
from aerlock.exceptions import AerlockError

START_SECONDS = 60.0
STOP_SECONDS = 15.0


class Server:
    """One server as a child process that stops when this one does.

    This process holds the other end of the child's standard input: even
    SIGKILL of this process closes it, and the child stops by itself.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self.ended = asyncio.ensure_future(process.wait())

    @classmethod
    async def spawn(cls, name: str, command: Sequence[str]) -> Self:
        """Starts the process."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            env=server_environment(),
        )
        return cls(name, process)

    async def wait_until_ready(self) -> None:
        """Returns when the server says that it serves.

        Raises:
            CommandError: it ended before, or took too long. It has said why on stderr.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if line != b"ready\n":
            raise CommandError(f"the {self.name} did not start; its reason is above")

    async def stop(self) -> None:
        """Asks the server to stop and waits; kills it when it takes too long."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.shield(self.ended)
        except TimeoutError:
            self._process.kill()
            await self.ended


async def run_until_signal(layout: Layout, listen: str | None, executor_settings: Sequence[str]) -> int:
    """Runs both servers until SIGINT, SIGTERM or the end of one of them; returns the exit status.

    ``executor_settings`` are further flags of the executor.

    Raises:
        CommandError: they cannot be started.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    layout.make()
    # In the order in which they are stopped: the gateway takes in how the executor's jobs ended.
    servers: list[Server] = []
    with _only_one(layout.data_dir):
        serving = asyncio.ensure_future(_serve(layout, listen, executor_settings, servers))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
            return 0 if stop.is_set() else serving.result()
        finally:
            for task in (serving, stopped):
                task.cancel()
            await asyncio.gather(serving, stopped, return_exceptions=True)
            for server in servers:
                await server.stop()
            if os.geteuid() == 0:
                remove_delegated()


async def _serve(
    layout: Layout, listen: str | None, executor_settings: Sequence[str], servers: list[Server]
) -> int:
    """Starts the servers, says how to connect, and returns when one of them ends."""
    stops = "--stop-on-stdin-eof"
    settings = [stops, *(["--listen", listen] if listen else [])]
    servers.append(await Server.spawn("executor", executor_command(layout, [stops, *executor_settings])))
    servers.append(await Server.spawn("gateway", gateway_command(layout, settings)))
    for server in reversed(servers):  # they start side by side; the gateway is the quicker one
        await server.wait_until_ready()
    await _until_jobs_can_run(layout)
    _announce(layout, await _bootstrap(layout))
    await asyncio.wait([server.ended for server in servers], return_when=asyncio.FIRST_COMPLETED)
    ended = next(server for server in servers if server.ended.done())
    print(f"aerlock: the {ended.name} ended with status {ended.ended.result()}; stopping", file=sys.stderr)
    return 1


async def _bootstrap(layout: Layout) -> str:
    """Returns a token that the gateway takes: the stored one where it does, else a new one."""
    try:
        token = load_credentials().token
    except (FileNotFoundError, AerlockError):
        token = ""
    process = await asyncio.create_subprocess_exec(
        *bootstrap_command(layout),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    output, _ = await process.communicate(f"{token}\n".encode())
    if process.returncode != 0:
        raise CommandError("the gateway's database cannot be used; the reason is above")
    return output.decode().strip()


async def _until_jobs_can_run(layout: Layout) -> None:
    """Waits until the gateway has found the executor.

    Raises:
        CommandError: it has not within the time to start.
    """
    request = HealthCheckRequest(service="aerlock.v1.JobService")
    async with grpc.aio.insecure_channel(f"unix:{layout.gateway_socket}") as channel:
        try:
            async for response in HealthStub(channel).Watch(request, timeout=START_SECONDS):
                if response.status == HealthCheckResponse.SERVING:
                    return
        except grpc.aio.AioRpcError as error:
            raise CommandError(
                f"the gateway does not use the executor ({error.details()}); where it refuses it, its reason"
                " is above"
            ) from error


def _stored_address() -> str:
    try:
        return load_credentials().address
    except (AerlockError, OSError):
        return ""


def _announce(layout: Layout, token: str) -> None:
    """Stores address and token and says in three lines how to connect."""
    address = f"unix:{layout.gateway_socket}"
    before = _stored_address()
    save_credentials(Credentials(address=address, token=token))
    if before not in ("", address):
        print(f"{credentials_path()} pointed to {before} before.", file=sys.stderr)
    listening = " and ".join(json.loads(layout.address_file.read_text()))
    print(f"Aerlock is up on {listening}.")
    print(f"Address and token are in {credentials_path()}.")
    print("Connect: from aerlock import RuntimeService; service = RuntimeService()", flush=True)


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    with (data_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"another aerlock up runs on {data_dir}. Stop it, or choose another --data-dir"
            ) from None
        yield
