"""The two servers of the chaos test, which come back whenever they end, and every process below them."""

import asyncio
import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from aerlock.cli.commands import bootstrap_command, executor_command, gateway_command
from aerlock.cli.layout import Layout

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x00020000
START_SECONDS = 60.0
DISK_BYTES = 1 << 30
# So little that every large value that no task needs has to go.
EXECUTOR_FLAGS = ("--slots", "3", "--blob-cache-bytes", "1000000")
# What the descendants of each server are, from the nearest to the furthest.
ROLES = {
    "gateway": ("checker",),
    "executor": ("bubblewrap", "sandbox", "zygote", "stub", "init", "program"),
}


class Server:
    """One server that is started again whenever it ends, until `stop`."""

    def __init__(
        self,
        name: str,
        layout: Layout,
        make_command: Callable[[Layout, Sequence[str]], list[str]],
        *flags: str,
    ) -> None:
        self.name = name
        self.starts = 0
        self.exit_status: int | None = None
        self._command = make_command(layout, ["--stop-on-stdin-eof", *flags])
        self._log = layout.data_dir / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._serving = asyncio.Event()
        self._stopping = False
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when it serves."""
        self._keeper = asyncio.create_task(self._keep())
        await self.until_serving()

    async def until_serving(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            await self._serving.wait()

    async def stop(self) -> int | None:
        """Stops it for good; returns its exit status."""
        self._stopping = True
        await self.until_serving()
        self._process.terminate()
        await self._keeper
        return self.exit_status

    @property
    def process(self) -> psutil.Process | None:
        """The process, None while there is none."""
        if self._process is None or self._process.returncode is not None:
            return None
        try:
            return psutil.Process(self._process.pid)
        except psutil.NoSuchProcess:
            return None

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def _keep(self) -> None:
        while not self._stopping:
            self.starts += 1
            with self._log.open("a") as stderr:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    start_new_session=True,
                )
            if await self._process.stdout.readline() == b"ready\n":
                self._serving.set()
            self.exit_status = await self._process.wait()
            self._serving.clear()
            if not self._stopping:
                await asyncio.sleep(0.1)


class Servers:
    """Gateway and executor on one folder."""

    def __init__(self, folder: Path, has_disks: bool) -> None:
        self.layout = Layout.choose(folder / "data", None)
        self.layout.make()
        self.disks = (self.layout.gateway_data, self.layout.executor_data) if has_disks else ()
        for disk in self.disks:
            _mount_disk(disk)
        self.gateway = Server("gateway", self.layout, gateway_command, "--listen", "127.0.0.1:0")
        self.executor = Server("executor", self.layout, executor_command, *EXECUTOR_FLAGS)

    def bootstrap(self) -> str:
        """Returns a token of the first account."""
        result = subprocess.run(
            bootstrap_command(self.layout), input=b"\n", capture_output=True, check=True, timeout=60
        )
        return result.stdout.decode().strip()

    async def start(self) -> None:
        await asyncio.gather(self.executor.start(), self.gateway.start())

    def processes(self) -> list[tuple[str, psutil.Process]]:
        """Every process there is at this moment, with what it is."""
        found = []
        for server in (self.gateway, self.executor):
            if process := server.process:
                found.append((server.name, process))
                found += _descendants(process, ROLES[server.name])
        return found


def adopt_orphans() -> None:
    """Makes this process the parent of what its descendants leave behind, so that none can hide."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def keep_mounts_private() -> bool:
    """Has mounts of this process vanish with it; returns whether it may mount at all."""
    if os.geteuid() != 0 or ctypes.CDLL(None).unshare(CLONE_NEWNS) != 0:
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], check=False).returncode == 0


def _mount_disk(path: Path) -> None:
    status = path.stat()
    options = f"size={DISK_BYTES},mode=0700,uid={status.st_uid},gid={status.st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True)


def _descendants(process: psutil.Process, roles: Sequence[str]) -> Iterator[tuple[str, psutil.Process]]:
    try:
        children = process.children()
    except psutil.NoSuchProcess:
        return
    for child in children:
        yield roles[0], child
        yield from _descendants(child, roles[1:] or roles)
