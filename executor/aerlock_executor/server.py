"""The executor's process: the supervisor behind gRPC on a unix socket, until a signal."""

import asyncio
import logging
import os
import signal
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from aerlock_executor.probe import probe
from aerlock_executor.service import ExecutorService
from aerlock_executor.settings import ExecutorSettings
from aerlock_executor.supervisor import Supervisor
from aerlock_executor.v1 import executor_pb2_grpc
from aerlock_executor.zygote import ZygoteError

logger = logging.getLogger(__name__)

# sockaddr_un.sun_path holds 108 bytes with its NUL; gRPC refuses longer paths without saying why.
MAX_SOCKET_PATH = 107
STOP_GRACE_SECONDS = 5.0


class StartError(Exception):
    """The executor cannot serve; the text says why and what to do."""


async def serve(settings: ExecutorSettings) -> None:
    """Serves until SIGTERM, SIGINT or, where asked for, the end of standard input.

    Raises:
        StartError: it cannot serve here.
    """
    stop = _stop_event(settings)
    supervisor = Supervisor(settings)
    try:
        await supervisor.start()
    except ZygoteError as error:
        raise StartError(await _explain_missing_sandbox(error)) from error
    except OSError as error:
        raise StartError(f"cannot use --data-dir {settings.data_dir}: {error.strerror}") from error
    server = grpc.aio.server()
    executor_pb2_grpc.add_ExecutorServiceServicer_to_server(ExecutorService(supervisor, settings), server)
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    try:
        await _listen(server, settings.socket)
        await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        print("ready", flush=True)
        await stop.wait()
        await servicer.enter_graceful_shutdown()
    finally:
        await supervisor.stop(STOP_GRACE_SECONDS)
        await server.stop(grace=1.0)
        settings.socket.unlink(missing_ok=True)


async def _listen(server: grpc.aio.Server, socket: Path) -> None:
    if len(os.fsencode(socket)) > MAX_SOCKET_PATH:
        raise StartError(f"--socket {socket} is longer than {MAX_SOCKET_PATH} bytes: choose a shorter path")
    try:
        server.add_insecure_port(f"unix:{socket}")
        await server.start()
        # gRPC makes it 0755; the gateway, in our group, needs to write. The directory keeps others out.
        socket.chmod(0o660)
    except (RuntimeError, OSError) as error:
        raise StartError(f"cannot listen on --socket {socket}: {error}") from error


def _stop_event(settings: ExecutorSettings) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.stop_on_stdin_eof:

        def read_stdin() -> None:
            if not os.read(0, 4096):
                loop.remove_reader(0)
                stop.set()

        loop.add_reader(0, read_stdin)
    return stop


async def _explain_missing_sandbox(error: ZygoteError) -> str:
    report = await probe()
    lines = [f"no sandbox here, so no job will run: {error}"]
    lines += [f"  {check.name}: {check.detail}. {check.cure}" for check in report.checks if not check.ok]
    return "\n".join(lines)
