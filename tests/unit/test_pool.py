"""The pool of cells, where the system refuses the executor what a cell needs."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from aerlock_executor import pool as pool_module
from aerlock_executor import zygote as zygote_module
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cgroups import Cgroups
from aerlock_executor.pool import CellPool
from aerlock_executor.running_cell import ZygoteError

LIMITS = CellLimits(memory_bytes=1 << 26, scratch_bytes=1 << 20, scratch_files=16, threads=4, open_files=32)
NO_DESCRIPTORS = OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class FakeCell:
    alive = True


class FakeZygote:
    """Makes cells; refuses some of them as the system would."""

    def __init__(self, refused):
        self.made = 0
        self.recovered = asyncio.Event()
        self.closed = asyncio.get_running_loop().create_future()
        self._refused = refused

    async def create_cell(self, warm=True, limits=None):
        self.made += 1
        if self.made in self._refused:
            raise NO_DESCRIPTORS
        if self.made > max(self._refused):
            self.recovered.set()
        return FakeCell()

    async def close(self):
        pass


def test_pool_refills_after_the_system_refused_it_descriptors(monkeypatch):
    async def check():
        zygote = FakeZygote(refused={2, 3})

        async def start(*_):
            return zygote

        monkeypatch.setattr(pool_module.Zygote, "start", start)
        monkeypatch.setattr(pool_module, "RETRY_SECONDS", 0.0)
        monkeypatch.setattr(pool_module, "REFILL_DELAY_SECONDS", 0.0)
        pool = CellPool(LIMITS, size=1, zygote_cells=100, cgroups=Cgroups([]))
        await pool.start()
        await pool.take()
        async with asyncio.timeout(10):
            await zygote.recovered.wait()
        await pool.close()

    asyncio.run(check())


def test_pipes_are_all_made_or_none(monkeypatch):
    made = []

    def pipe():
        if len(made) == 2:
            raise NO_DESCRIPTORS
        made.append(real())
        return made[-1]

    real = os.pipe
    monkeypatch.setattr(zygote_module.os, "pipe", pipe)
    with pytest.raises(ZygoteError, match="no pipes for a cell"):
        zygote_module._open_pipes(4)
    for fd in (fd for ends in made for fd in ends):
        assert not Path(f"/proc/self/fd/{fd}").exists()
