"""What accounts change about their jobs: cancelling, tagging and deleting them."""

import sqlite3
from typing import Final

from aerlock.v1.jobs_pb2 import JOB_STATE_CANCELLING, Job, UpdateJobRequest
from aerlock_gateway.core import clock
from aerlock_gateway.core.access import Account, Action
from aerlock_gateway.core.executor_link import ExecutorLink
from aerlock_gateway.core.joblog import PURGE_DELAY, Appended, JobLog
from aerlock_gateway.core.jobs import find_visible, to_message, to_messages
from aerlock_gateway.core.tags import tag_violations
from aerlock_gateway.errors import InvalidArgumentError, Violation
from aerlock_gateway.store import audit, deletion, jobs
from aerlock_gateway.store.database import Database

_PATHS: Final = frozenset({"tags", "*"})
_LONGEST_PATH: Final = 64


class JobChanges:
    """Each change is in the audit, in the transaction that makes it."""

    def __init__(self, database: Database, joblog: JobLog, link: ExecutorLink) -> None:
        self._database = database
        self._joblog = joblog
        self._link = link

    async def cancel(self, caller: Account, job_id: str) -> Job:
        """Asks for a job to be cancelled and returns what it is now; raises `NotFoundError`."""

        def work(connection: sqlite3.Connection) -> tuple[Appended, jobs.JobRow]:
            row = find_visible(connection, caller, job_id, Action.CANCEL_JOB)
            appended = self._joblog.cancel(connection, row.id)
            now = find_visible(connection, caller, job_id)
            if now.state != row.state:
                audit.insert(connection, clock.now(), caller.name, Action.CANCEL_JOB, job_id)
            return appended, now

        _, row = await self._database.write(work, lambda result: self._publish(result[0]))
        return to_message(row)

    async def update(self, caller: Account, request: UpdateJobRequest) -> Job:
        """Changes the tags of a job; raises `NotFoundError` and `InvalidArgumentError`."""
        job_id, tags = request.job.job_id, list(request.job.tags)
        unknown = [path for path in request.update_mask.paths if path not in _PATHS]
        violations = list(tag_violations(tags, "job.tags"))
        if unknown:
            sentence = f"has {unknown[0][:_LONGEST_PATH]!r}; it may name tags, all that can be changed"
            violations.append(Violation("update_mask", sentence))

        def work(connection: sqlite3.Connection) -> Job:
            row = find_visible(connection, caller, job_id, Action.UPDATE_JOB)
            if violations:
                raise InvalidArgumentError.of(violations)
            jobs.set_tags(connection, row.id, tags)
            now = find_visible(connection, caller, job_id)
            if now.tags != row.tags:
                audit.insert(connection, clock.now(), caller.name, Action.UPDATE_JOB, job_id, now.tags)
            return to_messages(connection, [now])[0]

        return await self._database.write(work)

    async def delete(self, caller: Account, job_id: str) -> None:
        """Hides a job from every call, and has what runs of it ended; raises `NotFoundError`."""

        def work(connection: sqlite3.Connection) -> Appended:
            row = find_visible(connection, caller, job_id, Action.DELETE_JOB)
            appended = self._joblog.cancel(connection, row.id)
            now = clock.now()
            deletion.hide(connection, row.id, now + PURGE_DELAY)
            audit.insert(connection, now, caller.name, Action.DELETE_JOB, job_id)
            return appended

        await self._database.write(work, self._publish)

    def _publish(self, appended: Appended) -> None:
        self._joblog.publish(appended)
        for head in appended.heads:
            if head.state == JOB_STATE_CANCELLING:
                self._link.cancel(head.job_id)
