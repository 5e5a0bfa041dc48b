"""Pages of streams: read once for all who stand at the same place, and bounded while they are sent."""

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from aerlock_gateway.store.database import Database
from aerlock_gateway.store.events import LARGEST_PAGE, LARGEST_ROW

_BYTES_BEING_SENT: Final = 64 << 20
# A page takes at most this part of what is left: who comes next finds something.
_PART: Final = 16
_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class EncodedPage:
    """A response as it is sent, and where it ends."""

    response: bytes
    # Whether there is an event in it.
    is_filled: bool
    # The sequence or cursor to go on after.
    scanned: int
    # Whether nothing follows that was committed by then.
    caught_up: bool
    # Whether nothing will ever follow.
    ended: bool = False


class Pages:
    """What streams read and send.

    A client that takes nothing leaves its page in memory. So pages are large
    while few are on their way, and small when there are many: nobody waits for
    others, and a thousand clients that stand still cost little.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads: OrderedDict[Hashable, asyncio.Future[EncodedPage]] = OrderedDict()
        self._left = _BYTES_BEING_SENT

    @property
    def size(self) -> int:
        """Bytes of the next page: a power of two, so that many ask for the same."""
        size = LARGEST_PAGE
        while size > LARGEST_ROW and size > self._left // _PART:
            size //= 2
        return size

    async def read(self, key: Hashable, work: Callable[[sqlite3.Connection], EncodedPage]) -> EncodedPage:
        """Returns the page of ``key``, read by ``work`` unless someone has read it.

        The key has the number of the ring that its reader has heard: until the
        next one, the same place has the same page.
        """
        read = self._reads.get(key)
        if read is None:
            read = self._reads[key] = asyncio.ensure_future(self._database.read_page(work))
            read.add_done_callback(partial(self._forget_failure, key))
            if len(self._reads) > _KEPT:
                self._reads.popitem(last=False)
        # One who leaves takes nothing from the others.
        return await asyncio.shield(read)

    def _forget_failure(self, key: Hashable, read: asyncio.Future[EncodedPage]) -> None:
        if read.cancelled() or read.exception():
            self._reads.pop(key, None)

    @contextmanager
    def sending(self, page: EncodedPage) -> Iterator[bytes]:
        """Gives the response of a page, and counts it while it is sent."""
        size = len(page.response)
        self._left -= size
        try:
            yield page.response
        finally:
            self._left += size
