"""One run of a program: its status, its results, and the stream of both."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from aerlock import codec
from aerlock._channel import Connection, translated_errors
from aerlock._logs import log_text
from aerlock._subscription import Subscription, is_terminal
from aerlock._threads import wait
from aerlock._times import to_local_time, to_seconds
from aerlock._values import Values
from aerlock._watcher import Watcher
from aerlock.exceptions import (
    AerlockError,
    InputValueError,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
    RuntimeJobMaxTimeoutError,
)
from aerlock.job_status import BY_STATE, JOB_FINAL_STATES, TERMINAL_STATES, JobStatus
from aerlock.resource_limits import ResourceLimits
from aerlock.result_decoder import ResultDecoder, apply_decoder, check_decoder
from aerlock.v1 import jobs_pb2

logger = logging.getLogger("aerlock")

Callback = Callable[[str, Any], None]
"""Called with the job id and a decoded interim result."""


class RuntimeJob:
    """A job on the server; made by `aerlock.RuntimeService`."""

    def __init__(
        self,
        job: jobs_pb2.Job,
        connection: Connection,
        watcher: Watcher,
        values: Values,
        result_decoder: type[ResultDecoder] | None = None,
    ) -> None:
        self._job = job
        self._connection = connection
        self._watcher = watcher
        self._values = values
        self._decoder = result_decoder
        self._outcome: _Outcome | None = None
        self._callbacks: _CallbackStream | None = None
        self._lock = threading.Lock()

    def job_id(self) -> str:
        """The id, for ``RuntimeService.job``."""
        return self._job.job_id

    @property
    def program_id(self) -> str:
        """The program that it runs."""
        return self._job.program_id

    @property
    def backend_name(self) -> str:
        """The backend that it runs on."""
        return self._job.backend_name

    @property
    def limits(self) -> ResourceLimits:
        """What it may use: of the limits of job, program and server, the smallest of each."""
        return ResourceLimits.from_message(self._job.options.limits)

    @property
    def tags(self) -> list[str]:
        """Its tags, as they were when this was last read or changed."""
        return list(self._job.tags)

    def update_tags(self, new_tags: Sequence[str]) -> list[str]:
        """Gives the job these tags in place of those that it has, at most 16, and returns them.

        Raises `InputValueError`.
        """
        if isinstance(new_tags, str):
            raise InputValueError(f"new_tags must be a list of strings, not {new_tags!r}")
        job = jobs_pb2.Job(job_id=self.job_id(), tags=new_tags)
        request = jobs_pb2.UpdateJobRequest(job=job, update_mask=FieldMask(paths=["tags"]))
        self._job = self._connection.call(self._connection.jobs.UpdateJob, request).job
        return self.tags

    @property
    def creation_date(self) -> datetime:
        """When the server accepted it, in local time."""
        return to_local_time(self._job.times.create_time)

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """The inputs as the program gets them, with defaults filled in."""
        request = jobs_pb2.GetJobRequest(job_id=self.job_id(), include_inputs=True)
        return self._values.decode_map(
            self._connection.call(self._connection.jobs.GetJob, request).job.inputs
        )

    def status(self) -> JobStatus:
        """The state that the job is in now."""
        return BY_STATE.get(self._refreshed().state, JobStatus.INITIALIZING)

    def in_final_state(self) -> bool:
        """Whether the job has ended."""
        return self.status() in JOB_FINAL_STATES

    def queue_position(self) -> int | None:
        """How many jobs are ahead of this one; None once it runs."""
        job = self._refreshed()
        return job.queue_position if job.HasField("queue_position") else None

    def result(self, timeout: float | None = None, decoder: type[ResultDecoder] | None = None) -> Any:  # noqa: ANN401
        """Waits for the job to end and returns what main returned, made by ``decoder`` where one is given.

        Callbacks that stream this job have been called when this returns.
        Raises `RuntimeJobFailureError` with the program's traceback where it
        failed, `RuntimeInvalidStateError` where it was cancelled,
        `RuntimeJobTimeoutError` after ``timeout`` seconds, while the job goes on,
        and what the decoder raises.
        """
        decoder = self._decoder_for(decoder)
        outcome = self._ended(timeout)
        if outcome.state == jobs_pb2.JOB_STATE_COMPLETED:
            return apply_decoder(decoder, self._values.decode(outcome.result))
        if outcome.state == jobs_pb2.JOB_STATE_CANCELLED:
            raise RuntimeInvalidStateError(f"Job {self.job_id()} was cancelled: it has no result.")
        too_long = outcome.failure.reason == jobs_pb2.FAILURE_REASON_TIME_LIMIT
        kind = RuntimeJobMaxTimeoutError if too_long else RuntimeJobFailureError
        reason = jobs_pb2.FailureReason.Name(outcome.failure.reason).removeprefix("FAILURE_REASON_")
        raise kind(self._describe(outcome.failure), reason)

    def wait_for_final_state(self, timeout: float | None = None) -> None:
        """Waits for the job to end, however it does.

        Raises `RuntimeJobTimeoutError` after ``timeout`` seconds.
        """
        self._ended(timeout)

    def stream_results(self, callback: Callback, decoder: type[ResultDecoder] | None = None) -> None:
        """Calls ``callback(job_id, interim_result)`` for each interim result, from the first on.

        Works at any time, also after the job has ended. All callbacks of a
        service run in one thread of their own, in order; what one raises, or
        its ``decoder``, is logged and the stream goes on. Results that wait for a slow callback wait
        in memory: as many as its jobs publish. Raises `RuntimeInvalidStateError`
        while another callback streams.
        """
        decoder = self._decoder_for(decoder)
        with self._lock:
            if self._callbacks is not None and not self._callbacks.finished.is_set():
                raise RuntimeInvalidStateError("A callback function is already streaming results.")
            self._callbacks = stream = _CallbackStream(
                self.job_id(), callback, self._watcher, self._values, decoder
            )
        try:
            self._watcher.subscribe(stream.subscription, self._job.owner)
            stream.subscription.replay = None
        except BaseException:
            stream.finished.set()
            raise

    def cancel_result_streaming(self) -> None:
        """Calls the callback no more; harmless where none streams."""
        if self._callbacks is not None:
            self._callbacks.stop()

    def interim_results(self, decoder: type[ResultDecoder] | None = None) -> list[Any]:
        """All interim results so far, made by ``decoder`` where one is given; raises what it raises."""
        decoder = self._decoder_for(decoder)
        events = self._replay(jobs_pb2.EVENT_KIND_INTERIM_RESULT)
        return [
            apply_decoder(decoder, self._values.decode(event.interim_result))
            for event in events
            if event.HasField("interim_result")
        ]

    def logs(self) -> str:
        """What the program has written to stdout and stderr so far, in the order in which it came.

        What comes on both within a tenth of a second may change places; each alone
        keeps its order. Bytes that are no UTF-8 are shown as replaced.
        """
        return log_text(self._replay(jobs_pb2.EVENT_KIND_LOG_OUTPUT))

    def warnings(self) -> list[tuple[str, str]]:
        """What was not as it should be and did not stop the job so far: pairs of a code and a sentence."""
        events = self._replay(jobs_pb2.EVENT_KIND_WARNING)
        return [(event.warning.code, event.warning.message) for event in events if event.HasField("warning")]

    def cancel(self) -> None:
        """Ends the job; raises `RuntimeInvalidStateError` where it has ended otherwise already.

        A program that runs gets a KeyboardInterrupt, and a few seconds to publish what it has.
        """
        request = jobs_pb2.CancelJobRequest(job_id=self.job_id())
        self._job = job = self._connection.call(self._connection.jobs.CancelJob, request).job
        if job.state in (jobs_pb2.JOB_STATE_COMPLETED, jobs_pb2.JOB_STATE_FAILED):
            raise RuntimeInvalidStateError(f"Job cannot be cancelled: {job.job_id} has ended already.")

    def error_message(self) -> str | None:
        """Why the job failed; None unless it did."""
        job = self._refreshed()
        return self._describe(job.failure) if job.state == jobs_pb2.JOB_STATE_FAILED else None

    def usage(self) -> dict[str, float]:
        """What the job used, once it has run and ended; empty before.

        The keys are cpu_seconds, peak_memory_bytes, output_bytes, startup_seconds,
        until its program had a cell, and wall_seconds, from then to its end.
        """
        job = self._refreshed()
        if not job.HasField("usage"):
            return {}
        return {
            "cpu_seconds": to_seconds(job.usage.cpu_time),
            "peak_memory_bytes": job.usage.peak_memory_bytes,
            "output_bytes": job.usage.output_bytes,
            "startup_seconds": to_seconds(job.usage.startup_time),
            "wall_seconds": to_seconds(job.usage.wall_time),
        }

    def __repr__(self) -> str:
        return f"<RuntimeJob {self.job_id()!r} of {self.program_id!r}>"

    def _decoder_for(self, decoder: type[ResultDecoder] | None) -> type[ResultDecoder] | None:
        check_decoder(decoder, "decoder")
        return self._decoder if decoder is None else decoder

    def _refreshed(self) -> jobs_pb2.Job:
        if self._job.state not in TERMINAL_STATES:
            request = jobs_pb2.GetJobRequest(job_id=self.job_id())
            self._job = self._connection.call(self._connection.jobs.GetJob, request).job
        return self._job

    def _ended(self, timeout: float | None) -> "_Outcome":
        """Waits for the end and for the callbacks; the outcome is fetched once."""
        deadline = None if timeout is None else time.monotonic() + timeout
        outcome = self._outcome
        if outcome is None:
            outcome = _Outcome(self.job_id())
            try:
                self._watcher.subscribe(outcome.subscription, self._job.owner, timeout)
                wait(outcome.known, deadline, self.job_id())
            finally:
                self._watcher.unsubscribe(outcome.subscription)
            if outcome.error is not None:
                raise outcome.error
            self._outcome = outcome
        if self._callbacks is not None and not self._watcher.dispatcher.is_current():
            wait(self._callbacks.finished, deadline, self.job_id())
        return outcome

    def _replay(self, kind: jobs_pb2.EventKind.ValueType) -> Iterator[jobs_pb2.JobEvent]:
        request = jobs_pb2.WatchJobRequest(job_id=self.job_id(), kinds=[kind], replay_only=True)
        with translated_errors():
            for response in self._connection.open_stream(self._connection.jobs.WatchJob, request):
                yield from response.events

    def _describe(self, failure: jobs_pb2.JobFailure) -> str:
        text = "\n".join(part for part in (failure.message, failure.traceback.rstrip()) if part)
        if failure.reason == jobs_pb2.FAILURE_REASON_TIME_LIMIT:
            return f"Job {self.job_id()} ran longer than maximum execution time. Job was cancelled:\n{text}"
        return f"Job {self.job_id()} has failed:\n{text}"


class _Outcome:
    """How a job ended, as its last events say."""

    def __init__(self, job_id: str) -> None:
        kinds = (jobs_pb2.EVENT_KIND_FINAL_RESULT,)
        self.subscription = Subscription(job_id, kinds, self._take, self._fail)
        self.known = threading.Event()
        self.error: AerlockError | None = None
        self.result = codec.to_value(None)
        self.state = jobs_pb2.JOB_STATE_UNSPECIFIED
        self.failure = jobs_pb2.JobFailure()

    def _take(self, event: jobs_pb2.JobEvent) -> None:
        if event.HasField("final_result"):
            self.result = event.final_result
        elif is_terminal(event):
            self.state = event.state_change.state
            self.failure = event.state_change.failure
            self.known.set()

    def _fail(self, error: AerlockError) -> None:
        self.error = error
        self.known.set()


class _CallbackStream:
    """Carries interim results to one callback, in the thread for callbacks."""

    def __init__(
        self,
        job_id: str,
        callback: Callback,
        watcher: Watcher,
        values: Values,
        decoder: type[ResultDecoder] | None,
    ) -> None:
        kinds = (jobs_pb2.EVENT_KIND_INTERIM_RESULT,)
        self.subscription = Subscription(job_id, kinds, self._take, self._fail)
        self.finished = threading.Event()
        self._job_id = job_id
        self._callback = callback
        self._watcher = watcher
        self._values = values
        self._decoder = decoder

    def stop(self) -> None:
        """Calls back no more."""
        self.finished.set()
        self._watcher.unsubscribe(self.subscription)

    def _take(self, event: jobs_pb2.JobEvent) -> None:
        if is_terminal(event):
            self._watcher.dispatcher.submit(self.finished.set)
        else:
            self._watcher.dispatcher.submit(lambda: self._call(event))

    def _fail(self, error: AerlockError) -> None:
        logger.warning("The stream of job %s broke: %s", self._job_id, error)
        self._watcher.dispatcher.submit(self.finished.set)

    def _call(self, event: jobs_pb2.JobEvent) -> None:
        if self.finished.is_set():
            return
        try:
            result = apply_decoder(self._decoder, self._values.decode(event.interim_result))
            self._callback(self._job_id, result)
        except BaseException:  # SystemExit too: the thread is not the callback's to end
            logger.warning(
                "The callback of job %s failed at event %d.", self._job_id, event.sequence, exc_info=True
            )
