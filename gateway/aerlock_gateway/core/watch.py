"""Reading logs as they grow: pages from the database, and a bell that rings after each commit."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from aerlock.v1 import jobs_pb2
from aerlock_gateway.core.access import Account, missing
from aerlock_gateway.core.jobs import find_visible, watched_owner
from aerlock_gateway.errors import InvalidArgumentError, UnavailableError, Violation
from aerlock_gateway.store import events
from aerlock_gateway.store.database import Database

_MOST_KINDS: Final = 16
_KINDS: Final = frozenset(jobs_pb2.EventKind.values()) - {jobs_pb2.EVENT_KIND_UNSPECIFIED}


class Bell:
    """Wakes those who wait for more of something: a job or all the jobs of an account."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self.stopping = False

    def ring(self, *keys: str) -> None:
        """Wakes the listeners of the keys."""
        for key in keys:
            for event in self._listeners.get(key, ()):
                event.set()

    def stop(self) -> None:
        """Wakes everyone, for good."""
        self.stopping = True
        self.ring(*self._listeners)

    @contextmanager
    def listen(self, key: str) -> Iterator[asyncio.Event]:
        """Gives an event that is set by each ring; clear it before looking, wait for it after."""
        event = asyncio.Event()
        listeners = self._listeners.setdefault(key, set())
        listeners.add(event)
        try:
            yield event
        finally:
            listeners.discard(event)
            if not listeners:
                self._listeners.pop(key, None)


def job_key(job_id: str) -> str:
    """Returns the bell's key of a job."""
    return f"job:{job_id}"


def owner_key(account: str | None) -> str:
    """Returns the bell's key of all the jobs of an account, or of all accounts."""
    return "everyone" if account is None else f"owner:{account}"


class Watch:
    """The two streams. Neither holds a cursor or a page while it sends."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    async def job(self, caller: Account, request: jobs_pb2.WatchJobRequest) -> AsyncIterator[bytes]:
        """Yields the events of a job after ``after_sequence`` until its terminal event.

        What it yields are serialized WatchJobResponses: the rows as they are
        stored, joined, so that a thousand watchers cost no parsing.
        Raises `NotFoundError`, `InvalidArgumentError`, and `UnavailableError` when the gateway stops.
        """
        if request.after_sequence < 0:
            raise InvalidArgumentError.of([Violation("after_sequence", "must not be negative")])
        kinds = _kinds(request.kinds)
        row = await self._database.read(lambda connection: find_visible(connection, caller, request.job_id))
        after = request.after_sequence
        if after > row.last_sequence:
            sentence = (
                f"is beyond {row.last_sequence}, the last sequence of the job by now; resume from there"
            )
            raise InvalidArgumentError.of([Violation("after_sequence", sentence)])
        with self._bell.listen(job_key(request.job_id)) as rung:
            while True:
                rung.clear()
                page = await self._page(row.id, after, kinds)
                if page is None:
                    raise missing("job")
                after = page.scanned
                done = page.ended or (request.replay_only and page.caught_up)
                if page.encoded or done:
                    scanned = jobs_pb2.WatchJobResponse(scanned_sequence=after).SerializeToString()
                    response = b"".join((*page.encoded, scanned))
                    del page
                    yield response
                    if done:
                        return
                elif page.caught_up:
                    await self._more(rung)

    async def account(
        self, caller: Account, request: jobs_pb2.WatchJobsRequest
    ) -> AsyncIterator[jobs_pb2.WatchJobsResponse]:
        """Yields the events of the jobs asked for above a cursor, without end.

        Raises `InvalidArgumentError`, and `UnavailableError` when the gateway stops.
        """
        kinds = _kinds(request.kinds)
        owner = watched_owner(caller, request.all_accounts)
        cursor = await self._start_cursor(request.after_cursor)
        first = True
        with self._bell.listen(owner_key(owner)) as rung:
            while True:
                rung.clear()
                runs, cursor, caught_up = await self._page_of_owner(owner, cursor, kinds)
                if runs or first:
                    first = False
                    yield _to_response(runs, cursor)
                elif caught_up:
                    await self._more(rung)

    async def _start_cursor(self, after: int) -> int:
        last = await self._database.read(events.last_cursor)
        if not -1 <= after <= last:
            raise InvalidArgumentError.of(
                [
                    Violation(
                        "after_cursor", f"must be from -1 to {last}; take the cursor of an earlier response"
                    )
                ]
            )
        return last if after == -1 else after

    async def _page(self, job: int, after: int, kinds: frozenset[int]) -> events.Page | None:
        return await self._database.read(lambda connection: events.page_of_job(connection, job, after, kinds))

    async def _page_of_owner(
        self, owner: str | None, cursor: int, kinds: frozenset[int]
    ) -> tuple[list[events.Run], int, bool]:
        return await self._database.read(
            lambda connection: events.page_of_owner(connection, owner, cursor, kinds)
        )

    async def _more(self, rung: asyncio.Event) -> None:
        if not self._bell.stopping:
            await rung.wait()
        if self._bell.stopping:
            raise UnavailableError("the gateway is stopping; resume when it is back", retry_seconds=1)


def _kinds(kinds: Sequence[int]) -> frozenset[int]:
    if len(kinds) > _MOST_KINDS:
        raise InvalidArgumentError.of([Violation("kinds", f"are {len(kinds)}; name each kind once")])
    if unknown := [kind for kind in kinds if kind not in _KINDS]:
        raise InvalidArgumentError.of([Violation("kinds", f"{unknown[0]} is not an EventKind; leave it out")])
    return frozenset(kinds)


def _to_response(runs: list[events.Run], cursor: int) -> jobs_pb2.WatchJobsResponse:
    response = jobs_pb2.WatchJobsResponse(cursor=cursor)
    for run in runs:
        response.entries.add(job_id=run.job_id).MergeFromString(b"".join(run.encoded))
    return response
