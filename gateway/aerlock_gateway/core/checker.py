"""Keeps one checker process at hand, and kills it when it takes longer than a second."""

import asyncio
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import Any, Final

logger = logging.getLogger(__name__)

_SECONDS: Final = 1.0
_START_SECONDS: Final = 30.0
_LENGTH_BYTES: Final = 4
_MODULE: Final = "aerlock_gateway.core.checker_process"


class TooCostlyError(Exception):
    """What was to be checked took more time or memory than a check may."""


class Checker:
    """Checks sources, schemas and inputs outside of this process, one at a time."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Starts the process ahead of the first request."""
        async with self._lock:
            await self._start()

    async def close(self) -> None:
        """Ends the process."""
        async with self._lock:
            await self._kill()

    async def check_program(self, files: dict[str, str], schemas: dict[str, str]) -> dict[str, Any]:
        """Returns violations, signature and parameters of a program; raises `TooCostlyError`.

        ``files`` has the source text of each file by its name, ``schemas`` the text of each schema by field.
        """
        return await self._ask({"check": "program", "files": files, "schemas": schemas})

    async def check_inputs(self, schema: str, inputs: str) -> dict[str, Any]:
        """Returns violations and defaults for inputs, given as JSON text; raises `TooCostlyError`."""
        return await self._ask({"check": "inputs", "schema": schema, "inputs": inputs})

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(request).encode()
        async with self._lock:
            process = await self._start()
            try:
                async with asyncio.timeout(_SECONDS):
                    return await _exchange(process, len(body).to_bytes(_LENGTH_BYTES) + body)
            except (TimeoutError, EOFError, ConnectionError) as error:
                await self._kill()
                logger.warning("a check was stopped: %s", type(error).__name__)
                raise TooCostlyError from None
            except BaseException:
                # The caller went away in the middle of an exchange: the next would read its answer.
                await self._kill()
                raise

    async def _start(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", _MODULE, stdin=PIPE, stdout=PIPE, start_new_session=True
            )
            self._process = process
            try:
                async with asyncio.timeout(_START_SECONDS):
                    await _exchange(process, b"")
            except BaseException:
                await self._kill()
                raise
        return self._process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _exchange(process: Process, request: bytes) -> dict[str, Any]:
    reader, writer = process.stdout, process.stdin
    assert reader is not None  # noqa: S101
    assert writer is not None  # noqa: S101
    writer.write(request)
    await writer.drain()
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
    answer: dict[str, Any] = json.loads(await reader.readexactly(length))
    return answer
