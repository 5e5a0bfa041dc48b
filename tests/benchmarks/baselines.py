"""What the benchmark compares with, each a process of its own: ``python baselines.py NAME ...``."""

import asyncio
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import grpc

BARE_SERVICE = "bare.Bare"


def cold(program: str, inputs: str) -> None:
    """Runs a program file in this fresh process, printing each interim result: nothing warm or isolated."""
    from qiskit_aer import AerSimulator

    class Messenger:
        def publish(self, message: Any, final: bool = False) -> None:
            print(message, flush=True)

    namespace: dict[str, Any] = {}
    exec(compile(Path(program).read_text(), program, "exec"), namespace)
    namespace["main"](AerSimulator(), Messenger(), **eval(inputs))


def warm(program: str, inputs: str) -> None:
    """Runs a program file for every line on standard input, in a process that has run it before."""
    from aerlock.program.backends import get_backend

    class Messenger:
        def publish(self, message: Any, final: bool = False) -> None:
            print(time.perf_counter() - begin, flush=True)

    namespace: dict[str, Any] = {}
    exec(compile(Path(program).read_text(), program, "exec"), namespace)
    begin = time.perf_counter()
    namespace["main"](get_backend("aer_simulator"), Messenger(), **eval(inputs))
    for _ in sys.stdin:
        begin = time.perf_counter()
        namespace["main"](get_backend("aer_simulator"), Messenger(), **eval(inputs))


async def bare_server(socket: str, database: str) -> None:
    """A grpc.aio server without any work: echoes after some synced commits, and streams small messages."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, encoded BLOB)")

    async def echo(request: bytes, context: Any) -> bytes:
        for _ in range(request[0]):
            connection.execute("INSERT INTO events (encoded) VALUES (?)", (bytes(60),))
        return request

    async def stream(request: bytes, context: Any) -> Any:
        for _ in range(int(request)):
            yield bytes(40)

    server = grpc.aio.server()
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Stream": grpc.unary_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(BARE_SERVICE, handlers),))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


async def bare_cells(count: int, at_once: int) -> None:
    """Runs ``count`` trivial programs in bare cells, without gRPC, log or spool; prints how many a second."""
    from aerlock_executor.interpreter import Interpreter
    from aerlock_executor.v1.cell_pb2 import CellStart
    from aerlock_executor.zygote import CellLimits, Zygote

    limits = CellLimits(2 << 30, 256 << 20, 16_384, 128, 256)
    zygote = await Zygote.start(limits, Interpreter.own())
    start = CellStart(backend_name="aer_simulator")
    start.source.files["program.py"] = b"def main(backend, user_messenger):\n    return None\n"

    async def run_some(number: int) -> None:
        for _ in range(number):
            cell = await zygote.create_cell(warm=False)
            await cell.start(start)
            await cell.wait()

    begin = time.perf_counter()
    await asyncio.gather(*(run_some(count // at_once) for _ in range(at_once)))
    print(count / (time.perf_counter() - begin), flush=True)
    await zygote.close()


def flush_milliseconds(path: Path, count: int = 200) -> float:
    """Returns how long this disk takes to sync an appended page, as a median."""
    import os
    import statistics

    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(bytes(4096))
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begin)
    path.unlink()
    return statistics.median(times) * 1000


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    if name == "cold":
        cold(*arguments)
    elif name == "warm":
        warm(*arguments)
    elif name == "bare-server":
        asyncio.run(bare_server(*arguments))
    elif name == "bare-cells":
        asyncio.run(bare_cells(*map(int, arguments)))
    else:
        sys.exit(f"unknown baseline {name!r}")
