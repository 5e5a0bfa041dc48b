"""The files of blobs as coroutines see them: every touch of the disk is in a thread."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from aerlock.blob_directory import CHUNK_BYTES, BlobDirectory, BlobWriter
from aerlock.v1.values_pb2 import BlobRef

_THREADS: Final = 8
_RESERVED_BYTES: Final = 256 << 20

T = TypeVar("T")


class BlobFiles:
    """A durable directory of blobs and the threads that work in it."""

    def __init__(self, root: Path) -> None:
        """Makes the directory where it is missing; raises OSError."""
        self.directory: Final = BlobDirectory(root, durable=True)
        self._root = root
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")

    async def run(self, work: Callable[[], T]) -> T:
        """Runs ``work`` in a thread. Also a caller that is cancelled goes on only when ``work`` is done."""
        return await unbroken(asyncio.get_running_loop().run_in_executor(self._threads, work))

    def room(self) -> int:
        """Returns how many bytes blobs may still take: the disk keeps something for the database.

        It touches the disk: call it in a thread.
        """
        return max(0, shutil.disk_usage(self._root).free - _RESERVED_BYTES)

    @asynccontextmanager
    async def writer(self, blob: BlobRef, offset: int, owner: str) -> AsyncIterator[BlobWriter]:
        """Opens a blob to write, and closes it; raises as `BlobDirectory.write` does."""
        opened = contextlib.ExitStack()
        try:
            yield await self.run(lambda: opened.enter_context(self.directory.write(blob, offset, owner)))
        finally:
            await self.run(opened.close)

    async def read(self, sha256: str, offset: int) -> AsyncIterator[bytes]:
        """Yields the blob from ``offset`` on in chunks; raises OSError."""
        opened = contextlib.ExitStack()
        try:
            path = self.directory.path(sha256)
            file = await self.run(lambda: opened.enter_context(path.open("rb", buffering=0)))
            file.seek(offset)
            while chunk := await self.run(partial(file.read, CHUNK_BYTES)):
                yield chunk
        finally:
            opened.close()

    def close(self) -> None:
        """Ends the threads when what they do is done."""
        self._threads.shutdown(wait=False)


async def unbroken(work: Awaitable[T]) -> T:
    """Awaits ``work``; a caller that is cancelled meanwhile goes on only when it is done."""
    future = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # looked at, so that nobody warns of it
        raise
