"""Appending to job logs: every event of every job is written here, with the job's row, in one transaction."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aerlock.v1.jobs_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JobEvent,
    StateChange,
)
from aerlock_executor.v1.executor_pb2 import TaskEnded, TaskEvent
from aerlock_gateway.core import clock
from aerlock_gateway.core.bell import Bell, job_key, owner_key
from aerlock_gateway.core.encoding import KINDS, encode_event, encode_task_event
from aerlock_gateway.core.scheduler import Scheduler
from aerlock_gateway.core.states import TERMINAL, check_transition
from aerlock_gateway.store import deletion, events, jobs, queue
from aerlock_gateway.store.database import Database

PURGE_DELAY: Final = 60 * clock.SECOND
"""How long a deleted job that has ended stays for the streams that are still reading it."""


class SpoolGapError(Exception):
    """The executor left out offsets: what it streams is not what its program did."""


@dataclass(slots=True)
class Appended:
    """What a transaction did, for those who wait for it."""

    heads: list[jobs.Head] = field(default_factory=list)
    started: list[jobs.Head] = field(default_factory=list)
    # A cursor below its first event: the closer, the less others read to find it.
    after: int = 0


class JobLog:
    """Sequences are dense from 1, and exactly one terminal event comes last.

    A running job's slot goes to the next queued one in the transaction that ends it.
    """

    def __init__(self, database: Database, bell: Bell, scheduler: Scheduler) -> None:
        self._database = database
        self._bell = bell
        self._scheduler = scheduler

    def insert(self, connection: sqlite3.Connection, job: jobs.NewJob) -> Appended:
        """Makes a job and queues it; where a slot is free it is RUNNING in the same commit.

        The caller owns the transaction and calls `publish` after the commit.
        """
        now = clock.now()
        after = events.last_cursor(connection)
        head = jobs.insert(connection, job, queue.next_turn(connection, job.owner), now)
        _change_state(connection, head, StateChange(state=JOB_STATE_QUEUED), now)
        return self._start_next(connection, Appended([head], after=after))

    async def append(
        self,
        job: int,
        batch: Sequence[TaskEvent],
        also: Callable[[sqlite3.Connection, jobs.Head], None] | None = None,
    ) -> jobs.Head:
        """Appends what a task's stream brought and is not in the log yet; it uses the events up.

        Events after the terminal one are dropped. ``also`` is done in the same
        transaction, ahead of them. Raises `SpoolGapError` where
        offsets are missing, and then appends nothing.
        """

        def work(connection: sqlite3.Connection) -> Appended:
            appended = _begun(connection, job)
            (head,) = appended.heads
            if head.state in TERMINAL:
                return appended
            if also is not None:
                also(connection, head)
            ended = _append_outputs(connection, head, batch)
            if ended is None:
                return appended
            _end(connection, head, ended)
            return self._start_next(connection, appended)

        return (await self._database.write(work, self.publish)).heads[0]

    async def end(self, job: int, change: StateChange) -> jobs.Head:
        """Appends a terminal event that no executor reported; nothing happens to a job that has ended."""

        def work(connection: sqlite3.Connection) -> Appended:
            appended = _begun(connection, job)
            (head,) = appended.heads
            if head.state in TERMINAL:
                return appended
            _change_state(connection, head, change, clock.now())
            return self._start_next(connection, appended)

        return (await self._database.write(work, self.publish)).heads[0]

    def cancel(self, connection: sqlite3.Connection, job: int) -> Appended:
        """Cancels what is queued and marks what runs; the caller calls `publish` after the commit."""
        appended = _begun(connection, job)
        (head,) = appended.heads
        if head.state == JOB_STATE_QUEUED:
            _change_state(connection, head, StateChange(state=JOB_STATE_CANCELLED), clock.now())
        elif head.state == JOB_STATE_RUNNING:
            _change_state(connection, head, StateChange(state=JOB_STATE_CANCELLING), clock.now())
        return appended

    async def start_queued(self) -> None:
        """Starts as many queued jobs as there are free slots; for when slots appear."""

        def work(connection: sqlite3.Connection) -> Appended:
            return self._start_next(connection, Appended(after=events.last_cursor(connection)))

        await self._database.write(work, self.publish)

    def publish(self, appended: Appended) -> None:
        """Lets the world see what is committed."""
        for head in appended.heads + appended.started:
            keys = job_key(head.job_id), owner_key(head.owner), owner_key(None)
            self._bell.ring(*keys, after=appended.after)
        for head in appended.started:
            self._scheduler.start(head)

    def _start_next(self, connection: sqlite3.Connection, appended: Appended) -> Appended:
        for head in self._scheduler.choose(connection):
            tier = self._scheduler.placement.isolation_tier
            change = StateChange(state=JOB_STATE_RUNNING, isolation_tier=tier)
            _change_state(connection, head, change, clock.now())
            appended.started.append(head)
        return appended


def _begun(connection: sqlite3.Connection, job: int) -> Appended:
    """Says where a transaction begins that appends to the log of a job that exists."""
    return Appended([jobs.find_head(connection, job)], after=events.last_cursor(connection))


def _append_outputs(
    connection: sqlite3.Connection, head: jobs.Head, batch: Sequence[TaskEvent]
) -> TaskEvent | None:
    """Appends results, log output and warnings, moves the head, and returns the TaskEnded if it came."""
    rows = events.RowBuilder(head.id)
    first_output = ended = None
    for event in batch:
        if event.offset <= head.last_offset:
            continue
        if event.offset != head.last_offset + 1:
            raise SpoolGapError(f"job {head.job_id}: offset {event.offset} came after {head.last_offset}")
        head.last_offset = event.offset
        name = event.WhichOneof("event")
        if name == "ended":
            ended = event
            break
        # "started" is RUNNING, which is in the log since the job was handed over.
        if name is not None and (kind := KINDS.get(name)) is not None:
            first_output = first_output or clock.from_timestamp(event.time)
            head.last_sequence += 1
            rows.add(head.last_sequence, kind, encode_task_event(event, head.last_sequence))
    events.append(connection, rows.finish())
    jobs.set_progress(connection, head, first_output, rows.size)
    return ended


def _end(connection: sqlite3.Connection, head: jobs.Head, event: TaskEvent) -> None:
    ended: TaskEnded = event.ended
    change = StateChange(state=ended.state)
    if ended.HasField("failure"):
        change.failure.CopyFrom(ended.failure)
    if ended.HasField("usage"):
        change.usage.CopyFrom(ended.usage)
    _change_state(connection, head, change, clock.from_timestamp(event.time))


def _change_state(connection: sqlite3.Connection, head: jobs.Head, change: StateChange, time: int) -> None:
    """Appends a state change and projects it; raises `IllegalTransitionError`."""
    check_transition(head.state, change.state)
    head.state = change.state
    head.last_sequence += 1
    event = JobEvent(sequence=head.last_sequence, time=clock.to_timestamp(time), state_change=change)
    kind = events.TERMINAL if head.state in TERMINAL else KINDS["state_change"]
    events.append(connection, [(head.id, head.last_sequence, kind, encode_event(event))])
    if head.state in TERMINAL:
        failure = change.failure.SerializeToString() if change.HasField("failure") else None
        usage = change.usage.SerializeToString() if change.HasField("usage") else None
        jobs.set_ended(connection, head, time, failure, usage)
        deletion.postpone(connection, head.id, clock.now() + PURGE_DELAY)
    elif head.state == JOB_STATE_RUNNING:
        jobs.set_started(connection, head, time, change.isolation_tier)
    else:
        jobs.set_state(connection, head)
