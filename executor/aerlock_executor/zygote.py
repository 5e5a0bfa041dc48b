"""The supervisor's side of a zygote: starts it, makes cells, learns how they end."""

import asyncio
import json
import logging
import os
import socket
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import aerlock
from aerlock.v1.backends_pb2 import Backend
from aerlock_executor.cell.frames import FrameError, receive_frame
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cell.tiers import Tier
from aerlock_executor.cell.zygote_options import CELL_PROTOCOL
from aerlock_executor.cgroups import CellGroup, Cgroups
from aerlock_executor.interpreter import Interpreter
from aerlock_executor.running_cell import Cell, CellExit, CellLife, ZygoteError
from aerlock_executor.v1.cell_pb2 import CellFrame, CellReady
from aerlock_executor.zygote_process import spawn

__all__ = ["Cell", "CellExit", "CellLimits", "Zygote", "ZygoteError", "ZygoteInfo"]

logger = logging.getLogger(__name__)

START_SECONDS = 60.0
CELL_SECONDS = 30.0
_STOP_SECONDS = 5.0
_MAX_MESSAGE_BYTES = 4096
_PIPE_BUFFER_BYTES = 1 << 16


@dataclass(frozen=True)
class ZygoteInfo:
    """What a zygote has imported: the supervisor itself imports neither Qiskit nor Aer."""

    qiskit_version: str
    qpy_version: int
    codec_version: int
    backends: tuple[Backend, ...]


class Zygote:
    """A running zygote. Make one with `Zygote.start`."""

    def __init__(
        self,
        control: socket.socket,
        process: asyncio.subprocess.Process,
        limits: CellLimits,
        cgroups: Cgroups | None,
    ) -> None:
        self._control = control
        self._limits = limits
        self._cgroups = cgroups
        self._process = process
        self._loop = asyncio.get_running_loop()
        self.made = 0
        """How many cells were asked for so far."""
        self._making = 0
        self._fewer = asyncio.Event()
        self._cells: dict[int, CellLife] = {}
        self._unsent: deque[bytes] = deque()
        self._ready: asyncio.Future[ZygoteInfo] = self._loop.create_future()
        self._sandbox_fd: int | None = None
        self.closed: asyncio.Future[str] = self._loop.create_future()
        """Resolves with the reason when the zygote, and with it every cell, has ended."""
        control.setblocking(False)
        self._loop.add_reader(control, self._receive)
        self._watcher = asyncio.create_task(self._watch())

    @classmethod
    async def start(
        cls,
        limits: CellLimits,
        interpreter: Interpreter,
        cgroups: Cgroups | None = None,
        tier: Tier = Tier.FULL,
    ) -> "Zygote":
        """Starts a zygote and returns when it is ready to make cells (about two seconds).

        Each cell gets control groups of its own among ``cgroups``.

        The kernel ends it when the thread that called this ends. Raises ZygoteError.
        """
        if os.getuid() == 0:
            raise ZygoteError("cells cannot be made as root: limits on processes do not count for it")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        info_reader, info_writer = os.pipe()
        try:
            process = await spawn(tier, limits, interpreter, theirs.fileno(), info_writer)
        except BaseException:
            os.close(info_reader)
            ours.close()
            raise
        finally:
            os.close(info_writer)
            theirs.close()
        zygote = cls(ours, process, limits, cgroups)
        await zygote._until_ready(info_reader)
        return zygote

    @property
    def info(self) -> ZygoteInfo:
        """What the zygote has imported."""
        return self._ready.result()

    async def create_cell(self, warm: bool = True, limits: CellLimits | None = None) -> Cell:
        """Forks and isolates a cell and, with ``warm``, has it run a sample circuit; raises ZygoteError.

        Without ``limits`` of its own it has those of the zygote.
        """
        if self.closed.done():
            raise ZygoteError(self.closed.result())
        self._making += 1
        try:
            return await self._create_cell(warm, limits or self._limits)
        finally:
            self._making -= 1
            self._fewer.set()

    async def _create_cell(self, warm: bool, limits: CellLimits) -> Cell:
        cell = await self._request_cell(warm, limits)
        try:
            cell.measure(await _until_cell_ready(cell))
        except BaseException:
            cell.kill()
            raise
        return cell

    async def retire(self) -> None:
        """Waits until no cell is left and ends the zygote; at once where this is cancelled."""
        try:
            while (self._cells or self._making) and not self.closed.done():
                self._fewer.clear()
                await self._fewer.wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Ends the zygote and every cell of it, and waits for that."""
        self._close_control()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.shield(self.closed)
        except TimeoutError:
            self._process.kill()
            await asyncio.shield(self.closed)

    async def _until_ready(self, info_fd: int) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                await asyncio.shield(self._ready)
            if info := os.read(info_fd, _MAX_MESSAGE_BYTES):  # of bubblewrap, not of the reaper
                # Alive, since it just spoke; so this pid is no other process's.
                self._sandbox_fd = os.pidfd_open(json.loads(info)["child-pid"])
        except TimeoutError as error:
            await self.close()
            raise ZygoteError(f"the zygote took longer than {START_SECONDS:g} s to start") from error
        except asyncio.CancelledError:
            await self.close()
            raise
        finally:
            os.close(info_fd)

    async def _request_cell(self, warm: bool, limits: CellLimits) -> Cell:
        """Sends the descriptors of a new cell; the zygote forks it when it reads them."""
        self.made = cell_id = self.made + 1
        pipes = _open_pipes(4)
        (input_reader, input_writer), *outputs = pipes
        theirs = [input_reader, *(writer for _, writer in outputs)]
        ended = self._loop.create_future()
        streams = [await self._open_stream(reader) for reader, _ in outputs]
        group = None
        try:
            if self._cgroups:
                group = self._cgroups.create(limits)
                theirs += group.open_doors()
            request = _encode(create=cell_id, warm=warm, limits=vars(limits))
            socket.send_fds(self._control, [request], theirs)
        except OSError as error:
            os.close(input_writer)
            self._discard(group)
            raise ZygoteError(f"the zygote does not take requests: {error}") from error
        finally:
            for fd in theirs:
                os.close(fd)
        self._cells[cell_id] = life = CellLife(ended, group)
        return Cell(streams, input_writer, partial(self._tell, cell_id), life)

    def _discard(self, group: CellGroup | None) -> None:
        if self._cgroups and group:
            self._cgroups.discard(group)

    async def _open_stream(self, fd: int) -> asyncio.StreamReader:
        """A stream of a pipe, which closes itself at the pipe's end."""
        reader = asyncio.StreamReader(_PIPE_BUFFER_BYTES)
        pipe = os.fdopen(fd, "rb", 0)
        await self._loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        return reader

    def _tell(self, cell_id: int, **message: int) -> None:
        """Sends, or queues while the socket is full; what a closed zygote cannot take is dropped."""
        self._unsent.append(_encode(cell=cell_id, **message))
        self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                self._control.send(self._unsent[0])
                self._unsent.popleft()
            self._loop.remove_writer(self._control)
        except BlockingIOError:
            self._loop.add_writer(self._control, self._flush)
        except OSError:
            self._unsent.clear()

    def _receive(self) -> None:
        """Takes what the zygote said; an end of the socket is handled with the end of the process."""
        try:
            while message := self._control.recv(_MAX_MESSAGE_BYTES):
                self._handle(json.loads(message))
        except BlockingIOError:
            return
        except OSError as error:
            logger.debug("the zygote's socket failed: %s", error)
        self._close_control()

    def _handle(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self._take_ready(message["ready"])
        elif life := self._cells.pop(message.get("ended", 0), None):
            life.end(message)
            self._discard(life.group)
            self._fewer.set()

    def _take_ready(self, fields: dict[str, Any]) -> None:
        protocol = fields.get("protocol", 0)
        if protocol == CELL_PROTOCOL:
            self._ready.set_result(_read_info(fields))
        else:
            reason = f"its Aerlock speaks the cell protocol {protocol}, and the executor {CELL_PROTOCOL}"
            self._ready.set_exception(ZygoteError(f"{reason}: install {aerlock.__version__} there"))

    def _close_control(self) -> None:
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control)
            self._loop.remove_writer(self._control)
            self._control.close()

    async def _watch(self) -> None:
        """Waits for the end of the sandbox, which is the end of all cells."""
        said = await self._read_errors()
        status = await self._process.wait()
        await self._until_empty()
        self._close_control()
        reason = f"the zygote ended with status {status}: {said}".rstrip(": \n")
        if not self._ready.done():
            self._ready.set_exception(ZygoteError(reason))
        for life in self._cells.values():
            life.fail(reason)
            self._discard(life.group)
        self._cells.clear()
        self._fewer.set()
        self.closed.set_result(reason)

    async def _read_errors(self) -> str:
        """Logs what the zygote says on stderr until it ends; returns the end of it."""
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        tail = b""
        while chunk := await self._process.stderr.read(_MAX_MESSAGE_BYTES):
            logger.info("zygote: %s", chunk.decode(errors="replace").rstrip())
            tail = (tail + chunk)[-_MAX_MESSAGE_BYTES:]
        return tail.decode(errors="replace")

    async def _until_empty(self) -> None:
        """Waits for process 1 of the sandbox: when it has ended, so has every other in there."""
        if self._sandbox_fd is None:
            return
        ended = asyncio.Event()
        self._loop.add_reader(self._sandbox_fd, ended.set)
        await ended.wait()
        self._loop.remove_reader(self._sandbox_fd)
        os.close(self._sandbox_fd)


async def _until_cell_ready(cell: Cell) -> CellReady:
    """Waits for a cell's first frame, which says what it has used; raises ZygoteError."""
    try:
        async with asyncio.timeout(CELL_SECONDS):
            frame = await receive_frame(cell.reader)
    except (FrameError, TimeoutError) as error:
        raise ZygoteError(f"a cell did not become ready: {error or 'it took too long'}") from error
    first = CellFrame.FromString(frame or b"")
    if not first.HasField("ready"):
        cell.kill()
        detail = (await cell.stderr.read(_MAX_MESSAGE_BYTES)).decode(errors="replace")
        exit_ = await cell.wait()
        raise ZygoteError(f"a cell ended before it was ready ({exit_}): {detail}")
    return first.ready


def _open_pipes(count: int) -> list[tuple[int, int]]:
    """Makes so many pipes or none; raises ZygoteError."""
    pipes: list[tuple[int, int]] = []
    try:
        while len(pipes) < count:
            pipes.append(os.pipe())
    except OSError as error:
        for fd in chain(*pipes):
            os.close(fd)
        raise ZygoteError(f"there are no pipes for a cell: {error}") from error
    return pipes


def _read_info(fields: dict[str, Any]) -> ZygoteInfo:
    backends = tuple(Backend(**backend) for backend in fields["backends"])
    return ZygoteInfo(fields["qiskit_version"], fields["qpy_version"], fields["codec_version"], backends)


def _encode(**message: int | Mapping[str, int]) -> bytes:
    return json.dumps(message).encode()
