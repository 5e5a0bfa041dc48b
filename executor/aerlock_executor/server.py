"""The executor's process: the supervisor behind gRPC on a unix socket, until a signal."""

import asyncio
import logging
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from aerlock.server_process import (
    ISOLATION_HEALTH,
    StartError,
    banner,
    bind,
    own_directory,
    start_on_socket,
    stop_event,
)
from aerlock_executor.cell.tiers import Tier
from aerlock_executor.probe import probe
from aerlock_executor.service import ExecutorService
from aerlock_executor.settings import ExecutorSettings
from aerlock_executor.supervisor import Supervisor
from aerlock_executor.v1 import executor_pb2_grpc
from aerlock_executor.zygote import ZygoteError

logger = logging.getLogger(__name__)

STOP_GRACE_SECONDS = 5.0
OPTIONS = (
    # The gateway pings, so that it notices an executor that hangs; let it.
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
)


async def serve(settings: ExecutorSettings) -> None:
    """Serves until SIGTERM, SIGINT or, where asked for, the end of standard input.

    Raises:
        StartError: it cannot serve here.
    """
    stop = stop_event(settings.stop_on_stdin_eof)
    if settings.tier is Tier.NONE:
        print(banner("executor"), file=sys.stderr, flush=True)
    with own_directory(settings.data_dir):
        try:
            supervisor = Supervisor(settings)
            await supervisor.start()
        except ZygoteError as error:
            raise StartError(await _explain_missing_sandbox(settings, error)) from error
        except OSError as error:
            raise StartError(f"cannot use --data-dir {settings.data_dir}: {error.strerror}") from error
        try:
            await _serve(supervisor, settings, stop)
        finally:
            settings.socket.unlink(missing_ok=True)


async def _serve(supervisor: Supervisor, settings: ExecutorSettings, stop: asyncio.Event) -> None:
    server = grpc.aio.server(options=OPTIONS)
    executor_pb2_grpc.add_ExecutorServiceServicer_to_server(ExecutorService(supervisor, settings), server)
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    try:
        if settings.listen and settings.tls:
            address = bind(server, "--listen", settings.listen, settings.tls.server_credentials())
            logger.info("listening on %s", address)
        await start_on_socket(server, settings.socket)
        statuses = health_pb2.HealthCheckResponse
        await servicer.set("", statuses.SERVING)
        isolated = settings.tier is Tier.FULL
        await servicer.set(ISOLATION_HEALTH, statuses.SERVING if isolated else statuses.NOT_SERVING)
        print("ready", flush=True)
        await stop.wait()
        await servicer.enter_graceful_shutdown()
    finally:
        await supervisor.stop(STOP_GRACE_SECONDS)
        await server.stop(grace=1.0)


async def _explain_missing_sandbox(settings: ExecutorSettings, error: ZygoteError) -> str:
    report = await probe(settings.tier)
    lines = [f"no sandbox of the tier {settings.tier} here, so no job will run: {error}"]
    lines += [f"  {check.name}: {check.detail}. {check.cure}" for check in report.checks if not check.ok]
    return "\n".join([*lines, f"  {report.weaker}"] if report.weaker else lines)
