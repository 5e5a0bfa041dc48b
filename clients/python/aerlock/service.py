"""The entry point of the client: the catalog of programs, and running them."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aerlock._catalog import Catalog
from aerlock._channel import KEEPALIVE_SECONDS, Connection
from aerlock._job_filter import list_request
from aerlock._pages import sliced
from aerlock._times import to_duration
from aerlock._values import Values
from aerlock._watcher import Watcher
from aerlock.backend_info import BackendInfo
from aerlock.credentials import TlsFiles, resolve_credentials
from aerlock.exceptions import InputValueError
from aerlock.job import Callback, RuntimeJob
from aerlock.options import OPTION_CURES, RuntimeOptions
from aerlock.parameters import ParameterNamespace
from aerlock.resource_limits import ResourceLimits
from aerlock.result_decoder import ResultDecoder, check_decoder
from aerlock.unknown_keys import cure_of
from aerlock.v1 import backends_pb2, jobs_pb2, server_pb2
from aerlock.v1.values_pb2 import MapValue

_LONGEST_KEEPALIVE_SECONDS: Final = 86_400


class RuntimeService(Catalog):
    """A client of one server, for one account.

    ``address`` is ``host:port`` or ``unix:/path``; what is not given comes from
    the variables ``AERLOCK_ADDRESS`` and ``AERLOCK_TOKEN``, then from the
    credentials file that ``aerlock up`` writes. Beyond this machine the
    connection is TLS: ``root_certificates`` is a PEM file with the authorities
    to trust in place of the public ones, ``client_certificate`` and
    ``client_key`` are for a server that asks for them. While someone waits, a
    connection is pinged after ``keepalive_seconds`` without traffic, so that no
    router forgets it; the server takes pings half as far apart as its own. Safe to
    use from any thread, and in no forked process: there, make another.
    Every method raises the exceptions of `aerlock.exceptions`; besides, an
    argument of a type other than its annotation, and an input that no value can
    carry, raise TypeError or ValueError.
    """

    def __init__(
        self,
        address: str | None = None,
        token: str | None = None,
        *,
        root_certificates: str | Path | None = None,
        client_certificate: str | Path | None = None,
        client_key: str | Path | None = None,
        keepalive_seconds: float = KEEPALIVE_SECONDS,
    ) -> None:
        files = (root_certificates, client_certificate, client_key)
        tls = TlsFiles(*(str(path) if path else None for path in files))
        if not 0.1 <= keepalive_seconds <= _LONGEST_KEEPALIVE_SECONDS:
            raise InputValueError(
                f"keepalive_seconds is {keepalive_seconds:g}; give 0.1 to {_LONGEST_KEEPALIVE_SECONDS:,}"
            )
        self._connection = Connection(resolve_credentials(address, token, tls), keepalive_seconds)
        self._watcher = Watcher(self._connection)
        self._values = Values(self._connection)

    def run(
        self,
        program_id: str,
        options: RuntimeOptions | Mapping[str, Any],
        inputs: Mapping[str, Any] | ParameterNamespace | None = None,
        callback: Callback | None = None,
        result_decoder: type[ResultDecoder] | None = None,
        *,
        revision: int = 0,
    ) -> RuntimeJob:
        """Runs a program, the newest revision of it unless another one is asked for.

        ``options`` need ``backend_name``; ``callback(job_id, interim_result)``
        is called for each interim result; ``result_decoder`` makes objects of the
        job's results, unless another is given with them. Raises RuntimeProgramNotFound,
        BackendNotFoundError, `InputValueError` that names each wrong option or
        input, QuotaExceededError, and TypeError or ValueError that says where
        in ``inputs`` something cannot be sent, such as ``inputs.a[0]``.
        """
        check_decoder(result_decoder, "result_decoder")
        options = _options(options)
        encoded = self._values.send_inputs(_inputs(inputs))
        request = _run_request(program_id, revision, options, encoded)
        answer = self._connection.call(self._connection.jobs.RunProgram, request)
        self._connection.account = answer.job.owner
        job = RuntimeJob(answer.job, self._connection, self._watcher, self._values, result_decoder)
        if callback is not None:
            job.stream_results(callback)
        return job

    def job(self, job_id: str) -> RuntimeJob:
        """Gets one job of this account, or as an admin of any; raises RuntimeJobNotFound."""
        request = jobs_pb2.GetJobRequest(job_id=job_id)
        job = self._connection.call(self._connection.jobs.GetJob, request).job
        self._learn_account()
        return RuntimeJob(job, self._connection, self._watcher, self._values)

    def jobs(
        self,
        limit: int | None = 10,
        skip: int | None = 0,
        pending: bool | None = None,
        program_id: str | None = None,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        job_tags: Sequence[str] | None = None,
        backend_name: str | None = None,
        descending: bool = True,
        all_accounts: bool = False,
    ) -> list[RuntimeJob]:
        """Lists the jobs of this account, newest first; ``limit=None`` lists all.

        Every filter that is given must take a job: ``pending=True`` those that
        wait or run, ``pending=False`` those that have ended; ``job_tags`` those
        that have all of these tags; the times, local where they have no zone,
        those created at ``created_after`` or later and before
        ``created_before``. ``all_accounts`` lists the jobs of everyone, for
        admins. Raises `InputValueError`.
        """
        request = list_request(
            pending,
            program_id,
            created_after,
            created_before,
            job_tags,
            backend_name,
            descending,
            all_accounts,
        )

        def page(size: int, token: str) -> tuple[Iterable[jobs_pb2.Job], str]:
            request.page_size, request.page_token = size, token
            response = self._connection.call(self._connection.jobs.ListJobs, request)
            return response.jobs, response.next_page_token

        found = list(sliced(page, limit, skip))
        if found:
            self._learn_account()
        return [RuntimeJob(job, self._connection, self._watcher, self._values) for job in found]

    def delete_job(self, job_id: str) -> None:
        """Deletes a job with its results and logs, for good; one that waits or runs is cancelled.

        Raises RuntimeJobNotFound, also for one that is deleted already.
        """
        self._connection.call(self._connection.jobs.DeleteJob, jobs_pb2.DeleteJobRequest(job_id=job_id))

    def backends(self) -> list[BackendInfo]:
        """Lists the backends to run on."""
        answer = self._connection.call(
            self._connection.backends.ListBackends, backends_pb2.ListBackendsRequest()
        )
        return [BackendInfo(one.name, one.num_qubits, one.description) for one in answer.backends]

    def server_info(self) -> server_pb2.GetServerInfoResponse:
        """Versions and limits of the server, and the account of the token."""
        return self._connection.call(self._connection.server.GetServerInfo, server_pb2.GetServerInfoRequest())

    def close(self) -> None:
        """Ends the streams and the connection; jobs go on. In a forked process it does nothing."""
        if self._connection.is_inherited:
            return
        self._watcher.close()
        self._connection.close()

    def _learn_account(self) -> None:
        """Finds out once whose jobs are one's own: those of others need a wider stream."""
        if not self._connection.account:
            self._connection.account = self.server_info().account

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<RuntimeService {self._connection.address!r}>"


def _options(options: RuntimeOptions | Mapping[str, Any]) -> RuntimeOptions:
    if not isinstance(options, RuntimeOptions):
        if not isinstance(options, Mapping):
            raise InputValueError(f"options must be a dict or RuntimeOptions, not {type(options).__name__}")
        known = RuntimeOptions.__dataclass_fields__
        if unknown := [name for name in options if name not in known]:
            raise InputValueError(
                f"options have no {unknown[0]!r}: {cure_of(unknown[0], known, OPTION_CURES)}"
            )
        options = RuntimeOptions(**options)
    options.validate()
    return options


def _inputs(inputs: Mapping[str, Any] | ParameterNamespace | None) -> dict[str, Any]:
    if isinstance(inputs, ParameterNamespace):
        inputs.validate()
        return inputs.to_dict()
    if inputs is not None and not isinstance(inputs, Mapping):
        raise InputValueError(f"inputs must be a dict or what parameters() gave, not {type(inputs).__name__}")
    return dict(inputs or {})


def _run_request(
    program_id: str, revision: int, options: RuntimeOptions, inputs: MapValue
) -> jobs_pb2.RunProgramRequest:
    request = jobs_pb2.RunProgramRequest(
        program_id=program_id,
        program_revision=revision,
        backend_name=options.backend_name,
        inputs=inputs,
        tags=options.job_tags,
        request_id=uuid.uuid4().hex,
    )
    request.options.image = options.image or ""
    request.options.log_level = (options.log_level or "").upper()
    request.options.limits.CopyFrom(ResourceLimits.of(options.limits).to_message())
    if options.max_execution_time is not None:
        limit = to_duration(options.max_execution_time, "max_execution_time")
        request.options.max_execution_time.CopyFrom(limit)
    return request
