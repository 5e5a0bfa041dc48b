"""One checker process: asked one thing at a time, and replaced when a check was too much for it."""

import asyncio
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import Any, Final

from aerlock_gateway.errors import UnavailableError

logger = logging.getLogger(__name__)

# The process bounds its own CPU time. This is for a machine that gives it none.
_STALLED_SECONDS: Final = 30.0
_LENGTH_BYTES: Final = 4
_LARGEST_ANSWER: Final = 4 << 20
_MODULE: Final = "aerlock_gateway.core.checker_process"


class TooCostlyError(Exception):
    """What was to be checked took more time or memory than a check may."""


class Worker:
    """Starts its process when it is first asked."""

    def __init__(self) -> None:
        self._process: Process | None = None

    async def ask(self, request: bytes) -> dict[str, Any]:
        """Returns the answer.

        Raises `TooCostlyError`, and `UnavailableError` where the machine is too busy.
        """
        try:
            async with asyncio.timeout(_STALLED_SECONDS):
                process = await self._start()
                return await _exchange(process, len(request).to_bytes(_LENGTH_BYTES) + request)
        except (EOFError, ConnectionError):
            logger.warning("a check was too costly and ended its process")
            await self.close()
            raise TooCostlyError from None
        except TimeoutError:
            logger.error("a checker process had no answer within %d s", _STALLED_SECONDS)
            await self.close()
            raise UnavailableError(
                "the machine is too busy to check this now; try again",
                reason="CHECKER_STALLED",
                retry_seconds=5,
            ) from None
        except BaseException:
            # The caller went away in the middle of an exchange: the next would read its answer.
            await self.close()
            raise

    async def close(self) -> None:
        """Ends the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _start(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", _MODULE, stdin=PIPE, stdout=PIPE, start_new_session=True
            )
            await _exchange(self._process, b"")
        return self._process


async def _exchange(process: Process, request: bytes) -> dict[str, Any]:
    reader, writer = process.stdout, process.stdin
    assert reader is not None  # noqa: S101
    assert writer is not None  # noqa: S101
    writer.write(request)
    await writer.drain()
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
    if length > _LARGEST_ANSWER:
        raise EOFError("the answer is too large")
    answer: dict[str, Any] = json.loads(await reader.readexactly(length))
    return answer
