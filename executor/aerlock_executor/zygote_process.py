"""How the process of a zygote is started: in bubblewrap, or below a reaper where there are no namespaces."""

import asyncio
import tempfile

from aerlock_executor.bubblewrap import command, find_bubblewrap
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cell.tiers import Tier
from aerlock_executor.cell.zygote_options import ZygoteOptions
from aerlock_executor.cell_environment import readable, variables
from aerlock_executor.interpreter import Interpreter
from aerlock_executor.running_cell import ZygoteError


async def spawn(
    tier: Tier, limits: CellLimits, interpreter: Interpreter, control_fd: int, info_fd: int
) -> asyncio.subprocess.Process:
    """Starts the process, which takes requests on ``control_fd``; its end is that of all below it.

    Bubblewrap says on ``info_fd`` which process is the first in its sandbox. Raises ZygoteError.
    """
    start = _spawn_in_bubblewrap if tier is Tier.FULL else _spawn_below_reaper
    return await start(tier, limits, interpreter, control_fd, info_fd)


async def _spawn_in_bubblewrap(
    tier: Tier, limits: CellLimits, interpreter: Interpreter, control_fd: int, info_fd: int
) -> asyncio.subprocess.Process:
    bubblewrap = find_bubblewrap()
    if bubblewrap is None:
        raise ZygoteError("bubblewrap is not installed; on Debian or Ubuntu: apt install bubblewrap")
    options = ZygoteOptions(control_fd, limits, interpreter.directories, tier)
    arguments = ("-m", "aerlock_executor.cell.zygote", options.to_json())
    return await asyncio.create_subprocess_exec(
        *command(bubblewrap, limits, arguments, interpreter, info_fd),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=(control_fd, info_fd),
    )


async def _spawn_below_reaper(
    tier: Tier, limits: CellLimits, interpreter: Interpreter, control_fd: int, _: int
) -> asyncio.subprocess.Process:
    options = ZygoteOptions(control_fd, limits, readable(interpreter), tier)
    return await asyncio.create_subprocess_exec(
        *(interpreter.executable, "-I", "-B", "-m", "aerlock_executor.cell.reaper", options.to_json()),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=(control_fd,),
        env=variables(limits, tempfile.gettempdir()),
        cwd="/",
        start_new_session=True,
    )
