"""What disturbs the servers: signals to any process, a database that is held, a disk that is full."""

import asyncio
import os
import random
import resource
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
from chaos.servers import Servers

DISTURBANCES = {"kill": 10, "stop": 5, "kill both servers": 1, "lock": 2, "fill": 2}
# A cell is killed as often as a server, however many of them there are.
WEIGHTS = {"gateway": 4, "executor": 3, "program": 4, "init": 2, "stub": 2}
LONGEST_SECONDS = 3.0


class Monkey:
    """Disturbs until it is cancelled; nothing that it does lasts longer than a few seconds."""

    def __init__(self, servers: Servers, choose: random.Random, mean_seconds: float) -> None:
        self.counts: Counter[str] = Counter()
        """How often it did what."""
        self._servers = servers
        self._choose = choose
        self._mean_seconds = mean_seconds

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._choose.expovariate(1 / self._mean_seconds))
            await self._disturb()

    async def _disturb(self) -> None:
        match self._choose.choices(list(DISTURBANCES), list(DISTURBANCES.values()))[0]:
            case "kill":
                self._kill(*self._any_process())
            case "stop":
                await self._stop()
            case "lock":
                with self._noted("database locked"), self._locked():
                    await self._pause()
            case "fill":
                with self._noted("disk full"), self._without_room():
                    await self._pause()
            case _:
                for name, process in self._servers.processes():
                    if name in ("gateway", "executor"):
                        self._kill(name, process)

    def _any_process(self) -> tuple[str, psutil.Process]:
        by_name: dict[str, list[psutil.Process]] = {}
        for name, process in self._servers.processes():
            by_name.setdefault(name, []).append(process)
        if not by_name:
            return "nothing", psutil.Process()
        name = self._choose.choices(list(by_name), [WEIGHTS.get(name, 1) for name in by_name])[0]
        return name, self._choose.choice(by_name[name])

    def _kill(self, name: str, process: psutil.Process) -> None:
        if name == "nothing":
            return
        with suppress(psutil.NoSuchProcess):
            process.kill()
            self.counts[f"kill {name}"] += 1

    async def _stop(self) -> None:
        """Stops a process for a while; half of them are killed in their sleep."""
        name, process = self._any_process()
        if name == "nothing":
            return
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            self.counts[f"stop {name}"] += 1
            try:
                await self._pause()
                if self._choose.random() < 0.5:
                    self._kill(name, process)
            finally:
                process.resume()

    async def _pause(self) -> None:
        await asyncio.sleep(self._choose.uniform(0.05, LONGEST_SECONDS))

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        self.counts[what] += 1
        yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the database as another process's writer would."""
        path = self._servers.layout.gateway_data / "gateway.db"
        with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as other:
            with suppress(sqlite3.OperationalError):
                other.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def _without_room(self) -> Iterator[None]:
        """Fills a server's disk; without disks of our own, lets no file of the gateway grow."""
        if self._servers.disks:
            with _filled(self._choose.choice(self._servers.disks), self._choose):
                yield
            return
        process = self._servers.gateway.process
        try:
            _limit_files(process, 0)
            yield
        finally:
            _limit_files(process, resource.RLIM_INFINITY)


def _limit_files(process: psutil.Process | None, size: int) -> None:
    """Bounds how large a process may make a file."""
    if process is not None:
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def _filled(disk: Path, choose: random.Random) -> Iterator[None]:
    """Leaves some KiB of a disk, or nothing at all."""
    path = disk / "ballast"
    status = os.statvfs(disk)
    left = choose.choice([0, 0, 20_000, 300_000])
    try:
        with path.open("wb") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, status.f_bavail * status.f_frsize - left))
        yield
    finally:
        path.unlink()
