"""Running programs: from a request to a job in its queue."""

import json
import secrets
import sqlite3
import string
from collections.abc import Sequence
from functools import partial
from typing import Final

from google.protobuf.duration_pb2 import Duration

from aerlock.v1.jobs_pb2 import JOB_STATE_QUEUED, Job, JobOptions, RunProgramRequest
from aerlock.v1.programs_pb2 import Program
from aerlock.v1.values_pb2 import BlobRef, MapValue
from aerlock_gateway.core import clock
from aerlock_gateway.core.access import Account, Action
from aerlock_gateway.core.blobs import check_visible, digest
from aerlock_gateway.core.bounds import EXECUTION_TIME, is_execution_time
from aerlock_gateway.core.checker import Checker
from aerlock_gateway.core.executor_link import ExecutorLink
from aerlock_gateway.core.idempotency import RequestKey
from aerlock_gateway.core.inputs import resolve_inputs
from aerlock_gateway.core.joblog import Appended, JobLog
from aerlock_gateway.core.jobs import find_visible, to_message
from aerlock_gateway.core.limits import JobLimits
from aerlock_gateway.core.program_access import find_program
from aerlock_gateway.core.program_messages import to_message as program_to_message
from aerlock_gateway.core.resource_limits import limit_violations, smallest
from aerlock_gateway.core.tags import tag_violations
from aerlock_gateway.errors import InvalidArgumentError, Violation
from aerlock_gateway.store import audit, blobs, jobs, programs, queue
from aerlock_gateway.store.database import Database

_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_ID_ALPHABET: Final = string.ascii_lowercase + string.digits
_ID_LENGTH: Final = 20


class Runs:
    """Makes jobs out of requests."""

    def __init__(
        self,
        database: Database,
        checker: Checker,
        joblog: JobLog,
        link: ExecutorLink,
        limits: JobLimits,
        max_execution_seconds: int,
    ) -> None:
        self._database = database
        self._checker = checker
        self._joblog = joblog
        self._link = link
        self._limits = limits
        self._max_execution_seconds = max_execution_seconds

    async def run(self, caller: Account, request: RunProgramRequest) -> Job:
        """Checks a request and queues its job.

        Raises `NotFoundError`, `InvalidArgumentError`, `ExhaustedError` and `UnavailableError`.
        """
        key = RequestKey(caller.name, "RunProgram", request.request_id, request)

        def look_up(connection: sqlite3.Connection) -> jobs.JobRow | programs.ProgramRow:
            if job_id := key.find(connection):
                return find_visible(connection, caller, job_id)
            _check_request(request)
            return find_program(
                connection,
                caller,
                request.program_id,
                request.program_revision,
                (Action.SEE_PROGRAM, Action.RUN_PROGRAM),
            )

        row = await self._database.read(look_up)
        if isinstance(row, jobs.JobRow):
            return await self._described(row)
        program = program_to_message(row)
        self._check_backend(request.backend_name, program)
        environment = self._link.find_environment(request.options.image)
        inputs, refs = await resolve_inputs(
            self._checker, caller.name, request.inputs, json.loads(row.signature), program.parameters_schema
        )
        if refs:
            # Ahead of the transaction, which looks again: the one writer is not for refusing.
            await self._database.read(partial(check_visible, account=caller.name, inputs=inputs, refs=refs))
        job = self._new_job(caller.name, request, row, program, environment, inputs)
        return await self._create(caller, key, job, inputs, refs)

    async def _create(
        self, caller: Account, key: RequestKey, job: jobs.NewJob, inputs: MapValue, refs: Sequence[BlobRef]
    ) -> Job:
        def work(connection: sqlite3.Connection) -> tuple[Appended, jobs.JobRow]:
            # Once more: the first request may have been carried out while this one was checked.
            if job_id := key.find(connection):
                return Appended(), find_visible(connection, caller, job_id)
            self._limits.check_queue(connection, caller.name)
            # It may have been deleted meanwhile, or hidden: nothing that a job refers to vanishes.
            find_program(connection, caller, job.program_id, job.program_revision)
            check_visible(connection, caller.name, inputs, refs)
            appended = self._joblog.insert(connection, job)
            blobs.refer(connection, job.owner, appended.heads[0].id, map(digest, refs), blobs.INPUT)
            detail = f"program={job.program_id} revision={job.program_revision}"
            audit.insert(connection, clock.now(), caller.name, "job.run", job.job_id, detail)
            key.remember(connection, job.job_id)
            return appended, find_visible(connection, caller, job.job_id)

        _, row = await self._database.write(work, lambda result: self._joblog.publish(result[0]))
        return await self._described(row)

    async def _described(self, row: jobs.JobRow) -> Job:
        """Returns the message of a job, with its place where it waits: found past the writer."""
        if row.state != JOB_STATE_QUEUED:
            return to_message(row)
        return to_message(row, (await self._database.read(queue.positions)).get(row.id))

    def _check_backend(self, name: str, program: Program) -> None:
        backend = self._link.find_backend(name)
        needed = program.backend_requirements.min_num_qubits
        if backend.num_qubits < needed:
            sentence = f"{name} has {backend.num_qubits} qubits and the program needs {needed}"
            raise InvalidArgumentError.of([Violation("backend_name", sentence)])

    def _new_job(
        self,
        account: str,
        request: RunProgramRequest,
        row: programs.ProgramRow,
        program: Program,
        environment: str,
        inputs: MapValue,
    ) -> jobs.NewJob:
        limits = [
            program.max_execution_time.ToNanoseconds(),
            self._max_execution_seconds * clock.SECOND,
        ]
        if request.options.HasField("max_execution_time"):
            limits.append(request.options.max_execution_time.ToNanoseconds())
        limit = Duration()
        limit.FromNanoseconds(min(limits))
        options = JobOptions(
            image=environment,
            log_level=request.options.log_level or "WARNING",
            max_execution_time=limit,
            limits=smallest(program.limits, request.options.limits, self._link.limits),
        )
        return jobs.NewJob(
            job_id="".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH)),
            owner=account,
            program_id=row.program_id,
            program_revision=row.revision,
            backend_name=request.backend_name,
            options=options.SerializeToString(),
            tags=request.tags,
            inputs=inputs.SerializeToString(),
        )


def _check_request(request: RunProgramRequest) -> None:
    violations: list[Violation] = []

    def require(valid: bool, field: str, sentence: str) -> None:
        if not valid:
            violations.append(Violation(field, sentence))

    require(bool(request.program_id), "program_id", "is required")
    require(request.program_revision >= 0, "program_revision", "must not be negative; 0 is the newest")
    require(bool(request.backend_name), "backend_name", "is required; ListBackends shows them")
    options = request.options
    require(
        options.log_level in ("", *_LOG_LEVELS),
        "options.log_level",
        f"must be one of {', '.join(_LOG_LEVELS)}",
    )
    require(
        not options.HasField("max_execution_time") or is_execution_time(options.max_execution_time),
        "options.max_execution_time",
        EXECUTION_TIME,
    )
    violations.extend(limit_violations(options.limits, "options.limits"))
    violations.extend(tag_violations(request.tags, "tags"))
    if violations:
        raise InvalidArgumentError.of(violations)
