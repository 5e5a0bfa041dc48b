"""The pool: cells that were made, isolated and warmed before the job that they will run."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aerlock_executor.cell.tiers import Tier
from aerlock_executor.cgroups import Cgroups
from aerlock_executor.interpreter import Interpreter, InterpreterError
from aerlock_executor.zygote import Cell, CellLimits, Zygote, ZygoteError, ZygoteInfo

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
# A job's first moments are what a person waits for: making the next cell must not share the cores with them.
REFILL_DELAY_SECONDS = 0.2


class CellPool:
    """Hands out cells, each to one job, and makes the next ones meanwhile.

    It starts another zygote when the one it has ends, or has made ``zygote_cells`` cells: all that it
    made share its memory layout and hash seed.
    """

    def __init__(
        self,
        limits: CellLimits,
        size: int,
        zygote_cells: int,
        cgroups: Cgroups,
        data_dir: Path,
        python: Path | None = None,
        tier: Tier = Tier.FULL,
    ) -> None:
        """``python`` is an interpreter or a virtual environment; None is this process's own.

        It makes no cell that could read ``data_dir``.
        """
        self._limits = limits
        self._zygote_cells = zygote_cells
        self._cgroups = cgroups
        self._data_dir = data_dir
        self._python = python
        self._tier = tier
        self._size = size
        self._ready: deque[Cell] = deque()
        self._taken = asyncio.Event()
        self._starting = asyncio.Lock()
        self._zygote: Zygote | None = None
        self._failure: ZygoteError | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._retired: set[asyncio.Task[None]] = set()
        self._making: set[asyncio.Task[Cell]] = set()

    async def start(self) -> None:
        """Starts the zygote and makes the first cell.

        Raises:
            ZygoteError: no cell could be made here; there is no sandbox.
        """
        cell = await (await self._living_zygote()).create_cell()
        if self._size:
            self._ready.append(cell)
        else:
            cell.kill()
            await cell.wait()
        self._keeper = asyncio.create_task(self._keep())

    async def take(self, limits: CellLimits | None = None) -> Cell:
        """Returns a warm cell that stands ready, or else a new one that is not warm; starts the pool.

        ``limits`` are those of the job: where they cannot be set in a cell of the
        pool, it gets one that is made with them.

        Raises:
            ZygoteError: no cell could be made.
        """
        self._taken.set()
        own = None if limits is None or limits.fit(self._limits) else limits
        while self._ready and own is None:
            cell = self._ready.popleft()
            if cell.alive:
                return cell
        making = asyncio.create_task(self._make_cell(own))
        self._making.add(making)
        making.add_done_callback(self._making.discard)
        try:
            # Whoever is cancelled while it waits disturbs nobody else who waits for the same zygote.
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(_kill_unwanted)
            raise

    async def close(self) -> None:
        """Ends the zygote and with it every cell."""
        await _cancel([*self._making, *([self._keeper] if self._keeper else [])])
        if self._zygote:
            await self._zygote.close()
        await _cancel(list(self._retired))

    @property
    def info(self) -> ZygoteInfo:
        """What is imported in the cells; once the pool has started."""
        if self._zygote is None:
            raise RuntimeError("the pool has not been started")
        return self._zygote.info

    async def _make_cell(self, limits: CellLimits | None) -> Cell:
        # Someone waits: what the sample would save, it would cost first.
        cell = await (await self._living_zygote()).create_cell(warm=False, limits=limits)
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())
        return cell

    async def _start_zygote(self) -> Zygote:
        try:
            interpreter = await Interpreter.at(self._python) if self._python else Interpreter.own()
            interpreter.check_apart(self._data_dir)
        except InterpreterError as error:
            raise ZygoteError(str(error)) from error
        return await Zygote.start(self._limits, interpreter, self._cgroups, self._tier)

    async def _living_zygote(self) -> Zygote:
        before = self._failure
        async with self._starting:
            if self._zygote is None or self._zygote.closed.done():
                if self._failure is not before:
                    raise ZygoteError(str(self._failure))  # while this one waited; each would take as long
                self._ready.clear()
                try:
                    self._zygote = await self._start_zygote()
                except ZygoteError as error:
                    self._failure = error
                    raise
            return self._zygote

    async def _renew_zygote(self) -> None:
        """Replaces the zygote; the one before ends with the last of the jobs that it has."""
        before, self._zygote = self._zygote, await self._start_zygote()
        while self._ready:
            self._ready.popleft().kill()
        if before:
            retirement = asyncio.create_task(before.retire())
            self._retired.add(retirement)
            retirement.add_done_callback(self._retired.discard)

    async def _keep(self) -> None:
        """Refills the pool whenever a cell is taken or the zygote has ended."""
        while True:
            try:
                zygote = await self._living_zygote()
                if zygote.made >= self._zygote_cells:
                    await self._renew_zygote()
                    continue
                while len(self._ready) < self._size:
                    self._ready.append(await zygote.create_cell())
            except (ZygoteError, OSError) as error:  # such as descriptors that have run out
                logger.warning("cannot make a cell, trying again: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._taken.clear()
            taken = asyncio.ensure_future(self._taken.wait())
            changes: list[asyncio.Future[Any]] = [taken, zygote.closed]
            await asyncio.wait(changes, return_when=asyncio.FIRST_COMPLETED)
            taken.cancel()
            await asyncio.sleep(REFILL_DELAY_SECONDS)


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _kill_unwanted(making: asyncio.Task[Cell]) -> None:
    """Ends a cell that nobody waits for any more; an error that nobody waits for is nothing."""
    if not making.cancelled() and making.exception() is None:
        making.result().kill()
