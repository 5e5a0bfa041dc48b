"""The gateway's process: everything put together and served until a signal."""

import asyncio
import json
import logging
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection

from aerlock.server_process import (
    ISOLATION_HEALTH,
    StartError,
    banner,
    bind,
    make_directory,
    own_directory,
    start_on_socket,
    stop_event,
)
from aerlock.server_settings import is_loopback
from aerlock.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    backends_pb2,
    backends_pb2_grpc,
    blobs_pb2,
    blobs_pb2_grpc,
    jobs_pb2,
    jobs_pb2_grpc,
    programs_pb2,
    programs_pb2_grpc,
    server_pb2,
    server_pb2_grpc,
)
from aerlock_gateway.core.accounts import Accounts
from aerlock_gateway.core.bell import Bell
from aerlock_gateway.core.blob_files import BlobFiles
from aerlock_gateway.core.blob_uploads import BlobUploads, UploadLimits
from aerlock_gateway.core.blobs import Blobs
from aerlock_gateway.core.catalog import Catalog
from aerlock_gateway.core.checker import Checker
from aerlock_gateway.core.executor_link import ExecutorAddress, ExecutorInfo, ExecutorLink
from aerlock_gateway.core.isolation import FULL, NONE, Isolation
from aerlock_gateway.core.job_changes import JobChanges
from aerlock_gateway.core.joblog import JobLog
from aerlock_gateway.core.limits import JobLimits
from aerlock_gateway.core.program_grants import ProgramGrants
from aerlock_gateway.core.retention import Retention, RetentionLimits
from aerlock_gateway.core.runs import Runs
from aerlock_gateway.core.scheduler import Scheduler
from aerlock_gateway.core.sessions import Sessions
from aerlock_gateway.core.streams import Streams
from aerlock_gateway.core.tokens import Tokens, bootstrap_token
from aerlock_gateway.core.watch import Watch
from aerlock_gateway.rpc.accounts import AccountService
from aerlock_gateway.rpc.interceptors import AuthenticationInterceptor, ErrorInterceptor
from aerlock_gateway.rpc.peers import PeerInterceptor
from aerlock_gateway.rpc.programs import ProgramService
from aerlock_gateway.rpc.services import BackendService, BlobService, JobService, ServerService
from aerlock_gateway.settings import GatewaySettings
from aerlock_gateway.store.database import Database
from aerlock_gateway.store.schema import SchemaTooNewError

logger = logging.getLogger(__name__)

_HEALTH: Final = "grpc.health.v1.Health"
_DATABASE: Final = "gateway.db"
_BLOBS: Final = "blobs"
_STOP_SECONDS: Final = 5.0
# How long a client may take to answer a ping, at most; then its streams end, which count against its account.
_PING_TIMEOUT_SECONDS: Final = 20.0
# In health, beside the names of services, for probes that demand it.
_SEPARATION: Final = "aerlock.separation"
_JOB_SERVICE: Final = jobs_pb2.DESCRIPTOR.services_by_name["JobService"].full_name
_SERVICES: Final = (
    accounts_pb2.DESCRIPTOR.services_by_name["AccountService"].full_name,
    programs_pb2.DESCRIPTOR.services_by_name["ProgramService"].full_name,
    _JOB_SERVICE,
    backends_pb2.DESCRIPTOR.services_by_name["BackendService"].full_name,
    blobs_pb2.DESCRIPTOR.services_by_name["BlobService"].full_name,
    server_pb2.DESCRIPTOR.services_by_name["ServerService"].full_name,
)


async def serve(settings: GatewaySettings) -> None:
    """Serves until SIGTERM, SIGINT or, where asked for, the end of standard input.

    Raises:
        StartError: it cannot serve here.
    """
    stop = stop_event(settings.stop_on_stdin_eof)
    with own_directory(settings.data_dir):
        async with _database(settings.data_dir) as database:
            await _serve_on(database, settings, stop)


async def bootstrap(settings: GatewaySettings, token: str) -> None:
    """Prints ``token`` if it is valid, else a new one of the first account.

    Raises:
        StartError: the database cannot be used.
    """
    make_directory(settings.data_dir)
    async with _database(settings.data_dir) as database:
        print(await bootstrap_token(database, token))


async def _serve_on(database: Database, settings: GatewaySettings, stop: asyncio.Event) -> None:
    limits = JobLimits(
        settings.max_queued_jobs, settings.max_queued_jobs_per_account, settings.max_running_jobs_per_account
    )
    bell, scheduler, checker, sessions = Bell(), Scheduler(limits), Checker(), Sessions(database)
    joblog = JobLog(database, bell, scheduler)
    servicer = health.HealthServicer()
    files = BlobFiles(settings.data_dir / _BLOBS)
    blobs = Blobs(database, files)
    uploads = BlobUploads(
        database, files, blobs, UploadLimits(settings.max_blob_bytes, settings.max_upload_bytes)
    )
    isolation = _isolation(settings)
    link = ExecutorLink(
        _executor_address(settings),
        database,
        joblog,
        scheduler,
        files,
        settings.executor_lease,
        _executor_health(servicer, isolation),
        isolation.refusal,
    )
    catalog = Catalog(database, checker)
    runs = Runs(database, checker, joblog, link, limits, settings.max_execution_time)
    accounts = AccountService(
        database, Accounts(database, sessions, joblog.start_queued), Tokens(database, sessions)
    )
    server = _make_server(sessions, settings)
    accounts_pb2_grpc.add_AccountServiceServicer_to_server(accounts, server)
    programs_pb2_grpc.add_ProgramServiceServicer_to_server(
        ProgramService(catalog, ProgramGrants(database)), server
    )
    watch = Watch(database, bell, Streams(settings.max_streams_per_account, settings.max_streams))
    job_service = JobService(database, runs, JobChanges(database, joblog, link), watch)
    jobs_pb2_grpc.add_JobServiceServicer_to_server(job_service, server)
    backends_pb2_grpc.add_BackendServiceServicer_to_server(BackendService(link), server)
    blobs_pb2_grpc.add_BlobServiceServicer_to_server(BlobService(blobs, uploads), server)
    server_service = ServerService(link, isolation, settings.max_blob_bytes)
    server_pb2_grpc.add_ServerServiceServicer_to_server(server_service, server)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    retention = Retention(
        database,
        RetentionLimits(settings.keep_jobs_days, settings.keep_jobs_count, settings.keep_jobs_bytes),
    )
    sweeping = [asyncio.create_task(blobs.keep_swept()), asyncio.create_task(retention.keep())]
    try:
        await catalog.register_shipped()
        addresses = await _listen(server, settings)
        for service in ("", *_SERVICES):
            await servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
        await _executor_health(servicer, isolation)(None)
        await link.start()
        if settings.address_file:
            _write_atomically(settings.address_file, json.dumps(addresses))
        logger.info("listening on %s", ", ".join(addresses))
        print("ready", flush=True)
        await stop.wait()
        logger.info("stopping")
        await servicer.enter_graceful_shutdown()
    finally:
        bell.stop()
        await server.stop(_STOP_SECONDS)
        await link.stop()
        for task in sweeping:
            task.cancel()
        await asyncio.gather(*sweeping, return_exceptions=True)
        await checker.close()
        files.close()


def _executor_health(
    servicer: health.HealthServicer, isolation: Isolation
) -> Callable[[ExecutorInfo | None], Coroutine[Any, Any, None]]:
    """Sets the health of what depends on the executor.

    JobService is SERVING while jobs can run, `ISOLATION_HEALTH` while they do in the full
    tier, and `_SEPARATION` while the executor has a uid of its own.
    """

    async def set_health(executor: ExecutorInfo | None) -> None:
        if executor and executor.isolation_tier == NONE:
            print(banner("gateway"), file=sys.stderr, flush=True)
        for name, holds in (
            (_JOB_SERVICE, executor is not None),
            (ISOLATION_HEALTH, executor is not None and executor.isolation_tier == FULL),
            (_SEPARATION, executor is not None and isolation.is_separate(executor)),
        ):
            statuses = health_pb2.HealthCheckResponse
            await servicer.set(name, statuses.SERVING if holds else statuses.NOT_SERVING)

    return set_health


def _isolation(settings: GatewaySettings) -> Isolation:
    elsewhere = settings.executor_address
    return Isolation(settings.is_local, is_remote=bool(elsewhere and not is_loopback(elsewhere)))


def _make_server(sessions: Sessions, settings: GatewaySettings) -> grpc.aio.Server:
    open_services = [_HEALTH]
    if settings.reflection:
        open_services.append(reflection.SERVICE_NAME)
    interceptors = [ErrorInterceptor(), AuthenticationInterceptor(sessions, open_services)]
    if settings.plaintext_from:
        interceptors.insert(0, PeerInterceptor(settings.plaintext_from))
    server = grpc.aio.server(interceptors=interceptors, options=_options(settings.keepalive_interval))
    if settings.reflection:
        names = (*_SERVICES, _HEALTH, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
    return server


def _options(keepalive_seconds: float) -> list[tuple[str, int]]:
    interval = round(keepalive_seconds * 1000)
    return [
        # A port that is taken is an error, not shared.
        ("grpc.so_reuseport", 0),
        # Idle streams stay known to the routers between, and clients that are gone are found out.
        ("grpc.keepalive_time_ms", interval),
        ("grpc.keepalive_timeout_ms", min(interval, round(_PING_TIMEOUT_SECONDS * 1000))),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # Clients ping as often, by a clock of their own; let them.
        ("grpc.http2.min_ping_interval_without_data_ms", interval // 2),
        ("grpc.http2.max_ping_strikes", 3),
    ]


def _executor_address(settings: GatewaySettings) -> ExecutorAddress:
    if settings.executor_address and settings.executor_tls:
        return ExecutorAddress(settings.executor_address, settings.executor_tls.channel_credentials())
    return ExecutorAddress(f"unix:{settings.executor_socket}")


async def _listen(server: grpc.aio.Server, settings: GatewaySettings) -> list[str]:
    """Binds and starts; returns the addresses as clients dial them."""
    addresses = [f"unix:{settings.socket}"]
    addresses += [bind(server, "--listen", address) for address in settings.listen]
    if settings.listen_tls and settings.tls:
        credentials = settings.tls.server_credentials()
        addresses += [bind(server, "--listen-tls", address, credentials) for address in settings.listen_tls]
    await start_on_socket(server, settings.socket)
    return addresses


@asynccontextmanager
async def _database(data_dir: Path) -> AsyncIterator[Database]:
    path = data_dir / _DATABASE
    try:
        database = Database(path)
    except (SchemaTooNewError, sqlite3.Error) as error:
        raise StartError(f"cannot use {path}: {error}") from None
    try:
        yield database
    finally:
        await database.close()


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)
