"""Following logs as they grow: from page to page, and from ring to ring of the bell."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from typing import Final

from aerlock.v1 import jobs_pb2
from aerlock_gateway.core.access import Account, missing
from aerlock_gateway.core.bell import Bell, Listener, job_key, owner_key
from aerlock_gateway.core.encoding import encode_entry
from aerlock_gateway.core.jobs import find_visible, watched_owner
from aerlock_gateway.core.pages import EncodedPage, Pages
from aerlock_gateway.core.streams import Streams
from aerlock_gateway.errors import InvalidArgumentError, UnavailableError, Violation
from aerlock_gateway.store import events
from aerlock_gateway.store.database import Database

_MOST_KINDS: Final = 16
_KINDS: Final = frozenset(jobs_pb2.EventKind.values()) - {jobs_pb2.EVENT_KIND_UNSPECIFIED}


class Watch:
    """The two streams. Neither holds a cursor while it sends, nor anything but its page.

    What they yield are serialized responses: the rows as they are stored,
    joined, so that a thousand watchers cost no parsing.
    """

    def __init__(self, database: Database, bell: Bell, streams: Streams) -> None:
        self._database = database
        self._bell = bell
        self._streams = streams
        self._pages = Pages(database)

    async def job(self, caller: Account, request: jobs_pb2.WatchJobRequest) -> AsyncIterator[bytes]:
        """Yields the events of a job after ``after_sequence`` until its terminal event.

        Raises `NotFoundError`, also when the job was deleted in between,
        `InvalidArgumentError`, `ExhaustedError`, and `UnavailableError` when
        the gateway stops.
        """
        kinds = _kinds(request.kinds)
        with self._streams.opened(caller.name), self._bell.listen(job_key(request.job_id)) as listener:
            row = await self._database.read_page(
                lambda connection: find_visible(connection, caller, request.job_id)
            )
            after = _checked_sequence(request.after_sequence, row.last_sequence)
            while True:
                listener.clear()
                page = await self._page_of_job(row.id, after, kinds, listener.ring)
                after = page.scanned
                done = page.ended or (request.replay_only and page.caught_up)
                if page.is_filled or done:
                    with self._pages.sending(page) as response:
                        del page
                        yield response
                    if done:
                        return
                elif page.caught_up:
                    await self._more(listener)

    async def account(self, caller: Account, request: jobs_pb2.WatchJobsRequest) -> AsyncIterator[bytes]:
        """Yields the events of the jobs asked for above a cursor, without end.

        Raises `InvalidArgumentError`, `ExhaustedError`, and `UnavailableError` when the gateway stops.
        """
        kinds = _kinds(request.kinds)
        owner = watched_owner(caller, request.all_accounts)
        with self._streams.opened(caller.name), self._bell.listen(owner_key(owner)) as listener:
            cursor = await self._start_cursor(request.after_cursor)
            first = True
            while True:
                listener.clear()
                page = await self._page_of_owner(owner, cursor, kinds, listener.ring)
                cursor, caught_up = page.scanned, page.caught_up
                if page.is_filled or first:
                    first = False
                    with self._pages.sending(page) as response:
                        del page
                        yield response
                if caught_up:
                    await self._more(listener)
                    # Over what others have written meanwhile, however much it is.
                    cursor = max(cursor, listener.after or 0)

    async def _start_cursor(self, after: int) -> int:
        last = await self._database.read_page(events.last_cursor)
        if not -1 <= after <= last:
            raise InvalidArgumentError.of(
                [
                    Violation(
                        "after_cursor", f"must be from -1 to {last}; take the cursor of an earlier response"
                    )
                ]
            )
        return last if after == -1 else after

    async def _page_of_job(self, job: int, after: int, kinds: frozenset[int], ring: int) -> EncodedPage:
        size = self._pages.size

        def read(connection: sqlite3.Connection) -> EncodedPage:
            page = events.page_of_job(connection, job, after, kinds, size)
            if page is None:
                raise missing("job")
            scanned = jobs_pb2.WatchJobResponse(scanned_sequence=page.scanned).SerializeToString()
            response = b"".join((*page.encoded, scanned))
            return EncodedPage(response, bool(page.encoded), page.scanned, page.caught_up, page.ended)

        return await self._pages.read((job, after, kinds, ring, size), read)

    async def _page_of_owner(
        self, owner: str | None, after: int, kinds: frozenset[int], ring: int
    ) -> EncodedPage:
        size = self._pages.size

        def read(connection: sqlite3.Connection) -> EncodedPage:
            entries, cursor, caught_up = events.page_of_owner(connection, owner, after, kinds, size)
            encoded = [encode_entry(entry.job_id, entry.encoded) for entry in entries]
            end = jobs_pb2.WatchJobsResponse(cursor=cursor).SerializeToString()
            return EncodedPage(b"".join((*encoded, end)), bool(entries), cursor, caught_up)

        return await self._pages.read((owner, after, kinds, ring, size), read)

    async def _more(self, listener: Listener) -> None:
        if not self._bell.stopping:
            await listener.wait()
        if self._bell.stopping:
            raise UnavailableError("the gateway is stopping; resume when it is back", retry_seconds=1)


def _checked_sequence(after: int, last: int) -> int:
    if after < 0:
        raise InvalidArgumentError.of([Violation("after_sequence", "must not be negative")])
    if after > last:
        sentence = f"is beyond {last}, the last sequence of the job by now; resume from there"
        raise InvalidArgumentError.of([Violation("after_sequence", sentence)])
    return after


def _kinds(kinds: Sequence[int]) -> frozenset[int]:
    if len(kinds) > _MOST_KINDS:
        raise InvalidArgumentError.of([Violation("kinds", f"are {len(kinds)}; name each kind once")])
    if unknown := [kind for kind in kinds if kind not in _KINDS]:
        raise InvalidArgumentError.of([Violation("kinds", f"{unknown[0]} is not an EventKind; leave it out")])
    return frozenset(kinds)
