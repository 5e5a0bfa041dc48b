"""The environments that jobs may choose: for each a Python with its packages, and a pool of cells."""

import asyncio
from pathlib import Path
from typing import Final

from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cgroups import Cgroups
from aerlock_executor.errors import InvalidTaskError
from aerlock_executor.pool import CellPool
from aerlock_executor.settings import ExecutorSettings
from aerlock_executor.zygote import ZygoteInfo

DEFAULT: Final = "default"
"""The environment that the executor itself runs in."""


class Environments:
    """Every environment by its name. The default one is warm from the start, others from their first job."""

    def __init__(self, settings: ExecutorSettings, limits: CellLimits) -> None:
        cgroups = Cgroups.find()
        self.controllers = cgroups.controllers
        """The controllers of the control groups that each cell has."""
        pythons: dict[str, Path | None] = {DEFAULT: None, **settings.environments}
        self._pools = {
            name: CellPool(
                limits,
                settings.warm_cells,
                settings.zygote_jobs,
                cgroups,
                settings.data_dir,
                python,
                settings.tier,
            )
            for name, python in pythons.items()
        }

    @property
    def names(self) -> list[str]:
        """The names, the default one first."""
        return list(self._pools)

    @property
    def info(self) -> ZygoteInfo:
        """What the cells of the default environment have imported."""
        return self._pools[DEFAULT].info

    async def start(self) -> None:
        """Warms the default environment.

        Raises:
            ZygoteError: no cell could be made; there is no sandbox.
        """
        await self._pools[DEFAULT].start()

    def pool(self, name: str) -> CellPool:
        """Returns the pool of an environment; an empty name is the default one.

        Raises:
            InvalidTaskError: there is none of this name; the text lists those that there are.
        """
        pool = self._pools.get(name or DEFAULT)
        if pool is None:
            raise InvalidTaskError(f"no environment {name[:64]!r}; there are {', '.join(self._pools)}")
        return pool

    async def close(self) -> None:
        """Ends every zygote and with it every cell."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))
