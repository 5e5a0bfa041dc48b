"""What both servers do as processes: own a directory, listen on a unix socket, stop when they are told to."""

import asyncio
import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc

ISOLATION_HEALTH: Final = "aerlock.isolation"
"""A name in health, for probes that demand it: SERVING while programs run in the full tier."""

_BANNER: Final = """\
****************************************************************************
  aerlock {server}: NOTHING ISOLATES PROGRAMS HERE (tier none).
  Whoever may run one can do all that the executor's user can do. For programs
  of your own alone.
****************************************************************************"""


def banner(server: str) -> str:
    """What a server, by its name, says when it starts to run programs without a sandbox."""
    return _BANNER.format(server=server)


class StartError(Exception):
    """The server cannot serve; the text says why and what to do."""


def run(program: str, work: Coroutine[Any, Any, None]) -> int:
    """Runs ``work`` as the process of the server that people call ``program``; returns its exit status.

    Root is refused: limits of cells would not hold for it, and the database would be its own.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        if os.geteuid() == 0:
            raise StartError(f"does not run as root. Start it by `{program}`, which drops privileges")
        # What a server writes is its own; sockets get their mode where they are made.
        os.umask(0o077)
        asyncio.run(work)
    except StartError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    finally:
        work.close()
    return 0


def stop_event(stop_on_stdin_eof: bool) -> asyncio.Event:
    """Returns an event that SIGTERM, SIGINT or, where asked for, the end of standard input sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if stop_on_stdin_eof:

        def read_to_end() -> None:
            while os.read(0, 4096):
                pass
            loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=read_to_end, name="stdin", daemon=True).start()
    return stop


def make_directory(data_dir: Path) -> None:
    """Makes ``data_dir`` where it is missing; raises `StartError` where it cannot."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"cannot make --data-dir {data_dir}: {error.strerror}") from error


@contextmanager
def own_directory(data_dir: Path) -> Iterator[None]:
    """Makes ``data_dir`` where it is missing, and holds it against a second server.

    Raises:
        StartError: it cannot be used, or another server holds it.
    """
    make_directory(data_dir)
    try:
        lock = (data_dir / "lock").open("w")
    except OSError as error:
        raise StartError(f"cannot use --data-dir {data_dir}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another server has --data-dir {data_dir}: stop it, or choose another"
            raise StartError(message) from None
        yield


def bind(
    server: grpc.aio.Server, setting: str, address: str, credentials: grpc.ServerCredentials | None = None
) -> str:
    """Listens on host:port, in plaintext without ``credentials``; returns the address that clients dial.

    Raises:
        StartError: the port cannot be had.
    """
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError:
        raise StartError(
            f"cannot listen on {address}: the port is in use or not ours. Stop what listens there, or"
            f" choose another {setting}"
        ) from None
    return f"{address.rpartition(':')[0]}:{port}"


async def start_on_socket(server: grpc.aio.Server, socket: Path) -> None:
    """Starts ``server``, listening on ``socket`` too, whose directory says who may connect.

    Raises:
        StartError: the directory is open to everyone, or the socket cannot be made.
    """
    try:
        socket.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        if socket.parent.stat().st_mode & 0o007:
            raise StartError(
                f"{socket.parent} guards the socket and is open to everyone: chmod 0750 {socket.parent}"
            )
        server.add_insecure_port(f"unix:{socket}")
        await server.start()
        # gRPC gives no one else the right to write; whoever may enter the directory needs it.
        socket.chmod(0o660)
    except (RuntimeError, OSError) as error:
        raise StartError(f"cannot listen on --socket {socket}: {error}") from error
