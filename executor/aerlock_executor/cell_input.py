"""Writes what a cell reads: the message of its one job, then the bytes of the blobs of its inputs."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 256 << 10


async def write_input(fd: int, frame: bytes, blobs: Sequence[Path]) -> None:
    """Writes ``frame`` and then the files to a cell's pipe, which it closes.

    Returns when the cell has all of it, or reads no more because it has ended
    or closed its pipe. Raises OSError where a file cannot be read.
    """
    os.set_blocking(fd, False)
    # Mostly the pipe takes all of it at once, and the program starts without a turn of the loop.
    with suppress(BlockingIOError, BrokenPipeError):
        frame = frame[os.write(fd, frame) :]
    if not frame and not blobs:
        os.close(fd)
        return
    os.set_blocking(fd, True)
    # A thread of its own, since the cell decides how long this takes: its end is the end of the pipe.
    executor = ThreadPoolExecutor(1, "cell-input")
    writing = asyncio.get_running_loop().run_in_executor(executor, _write, fd, frame, blobs)
    executor.shutdown(wait=False)
    await writing


def _write(fd: int, frame: bytes, blobs: Sequence[Path]) -> None:
    with suppress(BrokenPipeError), FileIO(fd, "wb") as pipe:
        _write_whole(pipe, memoryview(frame))
        for path in blobs:
            _send_file(pipe, path)


def _send_file(pipe: FileIO, path: Path) -> None:
    """Copies a whole file to a pipe.

    Not by sendfile, which is no faster: pages of a file that others read have no
    place in a pipe that a program can open for writing.
    """
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    with FileIO(path) as file:
        while count := file.readinto(buffer):
            _write_whole(pipe, buffer[:count])


def _write_whole(pipe: FileIO, data: memoryview) -> None:
    while data:
        data = data[pipe.write(data) :]
