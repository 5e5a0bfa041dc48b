"""One stream of events per service, behind every callback, result and wait.

A subscription first stands in the stream, then replays what came before, and
merges both by sequence: sequences are dense, so that an event that was seen is
known by its number and one that was missed by the gap that it leaves. Nothing
is lost and nothing comes twice, whatever breaks in between.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Collection
from queue import SimpleQueue
from typing import Any, Final, cast

import grpc

from aerlock._channel import Connection, to_exception
from aerlock.exceptions import AerlockError, RuntimeJobTimeoutError, ServerUnavailableError
from aerlock.job_status import TERMINAL_STATES
from aerlock.v1 import jobs_pb2

logger = logging.getLogger("aerlock")

LONGEST_BACKOFF_SECONDS: Final = 5.0
NOW: Final = -1
# What says that the server is gone or going, and not that it refuses.
_PASSING: Final = frozenset(
    {"UNAVAILABLE", "INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED"}
)


class Subscription:
    """The events of one job from ``after_sequence`` on, each given to ``deliver`` once and in order.

    ``kinds`` are those to deliver; the terminal event always is, last. ``fail``
    gets the error that ends the subscription before the job has ended. Both are
    called from any thread and must return at once.
    """

    def __init__(
        self,
        job_id: str,
        kinds: Collection[jobs_pb2.EventKind.ValueType],
        deliver: Callable[[jobs_pb2.JobEvent], None],
        fail: Callable[[AerlockError], None],
        after_sequence: int = 0,
    ) -> None:
        self.job_id = job_id
        self.kinds = frozenset(kinds)
        self.closed = threading.Event()
        self.sequence = after_sequence
        self._deliver = deliver
        self._fail = fail
        self._lock = threading.Lock()
        self._lacks_events = True
        self._replaying = False

    def feed(self, events: Collection[jobs_pb2.JobEvent]) -> None:
        """Takes events of the stream, which has all kinds of them, up to the first gap."""
        with self._lock:
            for event in events:
                if event.sequence > self.sequence + 1:
                    self._lacks_events = True
                    return
                self._take(event)

    def feed_replay(self, events: Collection[jobs_pb2.JobEvent], scanned_sequence: int) -> None:
        """Takes events of a replay, which is filtered and complete up to ``scanned_sequence``."""
        with self._lock:
            for event in events:
                self._take(event)
            self.sequence = max(self.sequence, scanned_sequence)

    def mark_gap(self) -> None:
        """Says that the stream may have lost events."""
        with self._lock:
            self._lacks_events = True

    def claim_replay(self) -> bool:
        """Whether the caller must replay now: events are lacking and nobody else is at it."""
        with self._lock:
            claimed = self._lacks_events and not self._replaying and not self.closed.is_set()
            if claimed:
                self._lacks_events, self._replaying = False, True
            return claimed

    def end_replay(self, complete: bool) -> None:
        """Ends what `claim_replay` began."""
        with self._lock:
            self._replaying = False
            self._lacks_events |= not complete

    def fail(self, error: AerlockError) -> None:
        """Ends the subscription with ``error``, unless it has ended."""
        with self._lock:
            if not self.closed.is_set():
                self.closed.set()
                self._fail(error)

    def _take(self, event: jobs_pb2.JobEvent) -> None:
        if event.sequence <= self.sequence or self.closed.is_set():
            return
        self.sequence = event.sequence
        terminal = is_terminal(event)
        if terminal or kind_of(event) in self.kinds:
            self._deliver(event)
        if terminal:
            self.closed.set()


def kind_of(event: jobs_pb2.JobEvent) -> jobs_pb2.EventKind.ValueType | None:
    """Which kind an event is; None for one that this version does not know."""
    return _KINDS.get(event.WhichOneof("event"))


def is_terminal(event: jobs_pb2.JobEvent) -> bool:
    """Whether it is the last event of its job."""
    return event.HasField("state_change") and event.state_change.state in TERMINAL_STATES


_KINDS: Final[dict[str | None, jobs_pb2.EventKind.ValueType]] = {
    "state_change": jobs_pb2.EVENT_KIND_STATE_CHANGE,
    "interim_result": jobs_pb2.EVENT_KIND_INTERIM_RESULT,
    "final_result": jobs_pb2.EVENT_KIND_FINAL_RESULT,
    "log_output": jobs_pb2.EVENT_KIND_LOG_OUTPUT,
    "warning": jobs_pb2.EVENT_KIND_WARNING,
}


class Watcher:
    """Holds the stream while there is a subscription, and closes it with the last one."""

    def __init__(self, connection: Connection) -> None:
        self.dispatcher = Dispatcher()
        self._connection = connection
        self._lock = threading.Lock()
        self._by_job: dict[str, list[Subscription]] = {}
        self._stream: _Stream | None = None

    def subscribe(self, subscription: Subscription, timeout: float | None = None) -> None:
        """Starts to deliver, with what has happened already.

        Raises RuntimeJobNotFound, `RuntimeJobTimeoutError` after ``timeout``
        seconds, and other errors of the server.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            self._by_job.setdefault(subscription.job_id, []).append(subscription)
            if self._stream is None:
                self._stream = _Stream(self, self._connection)
            stream = self._stream
        try:
            wait(stream.standing, deadline, subscription.job_id)
            self._catch_up(subscription, deadline)
        except BaseException:
            self.unsubscribe(subscription)
            raise
        if subscription.closed.is_set():
            self.unsubscribe(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Delivers nothing more; harmless if it has ended."""
        subscription.closed.set()
        stream = None
        with self._lock:
            others = [
                other for other in self._by_job.pop(subscription.job_id, []) if other is not subscription
            ]
            if others:
                self._by_job[subscription.job_id] = others
            if not self._by_job:
                stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def feed(self, response: jobs_pb2.WatchJobsResponse) -> None:
        """Gives each entry of the stream to those who subscribed to its job."""
        for entry in response.entries:
            with self._lock:
                subscriptions = list(self._by_job.get(entry.job_id, ()))
            for subscription in subscriptions:
                subscription.feed(entry.events)
                self._catch_up_or_fail(subscription)

    def catch_up_all(self) -> None:
        """Replays for everyone what the stream may have lost."""
        with self._lock:
            subscriptions = [one for several in self._by_job.values() for one in several]
        for subscription in subscriptions:
            subscription.mark_gap()
            self._catch_up_or_fail(subscription)

    def fail_all(self, error: AerlockError) -> None:
        """Ends every subscription with ``error``, and the stream."""
        with self._lock:
            subscriptions = [one for several in self._by_job.values() for one in several]
            self._by_job.clear()
            stream, self._stream = self._stream, None
        for subscription in subscriptions:
            subscription.fail(error)
        if stream is not None:
            stream.close()

    def close(self) -> None:
        """Ends every subscription with an error, then the stream and the dispatcher."""
        self.fail_all(AerlockError("the service was closed"))
        self.dispatcher.close()

    def _catch_up_or_fail(self, subscription: Subscription) -> None:
        """Catches up where nobody waits for an error: the subscription gets it."""
        try:
            self._catch_up(subscription)
        except AerlockError as error:
            subscription.fail(error)
        if subscription.closed.is_set():
            self.unsubscribe(subscription)

    def _catch_up(self, subscription: Subscription, deadline: float | None = None) -> None:
        """Replays what ``subscription`` lacks, until the stream goes on where the replay ends."""
        backoff = Backoff()
        while subscription.claim_replay():
            complete = False
            try:
                self._replay(subscription, deadline)
                complete = True
            except ServerUnavailableError:
                backoff.wait(subscription.closed, remaining_seconds(deadline, subscription.job_id))
            finally:
                subscription.end_replay(complete)

    def _replay(self, subscription: Subscription, deadline: float | None) -> None:
        request = jobs_pb2.WatchJobRequest(
            job_id=subscription.job_id,
            after_sequence=subscription.sequence,
            kinds=sorted(subscription.kinds),
            replay_only=True,
        )
        call = self._connection.open_stream(self._connection.jobs.WatchJob, request)
        try:
            for response in call:
                subscription.feed_replay(response.events, response.scanned_sequence)
                if subscription.closed.is_set():
                    return
                remaining_seconds(deadline, subscription.job_id)
        except grpc.RpcError as error:
            raise to_exception(error) from None
        finally:
            call.cancel()


class _Stream:
    """A thread that follows all jobs of the account, from now on, and resumes where it broke."""

    def __init__(self, watcher: Watcher, connection: Connection) -> None:
        self.standing = threading.Event()
        """Set when no later event can be missed, or when the stream has ended."""
        self._watcher = watcher
        self._connection = connection
        self._closed = threading.Event()
        self._call: Any = None
        self._cursor = NOW
        threading.Thread(target=self._run, name="aerlock-watch", daemon=True).start()

    def close(self) -> None:
        """Ends the stream; its thread ends soon."""
        self._closed.set()
        if self._call is not None:
            self._call.cancel()

    def _run(self) -> None:
        backoff = Backoff()
        try:
            while not self._closed.is_set():
                try:
                    self._follow(backoff)
                except grpc.RpcError as error:
                    self._recover(error)
                backoff.wait(self._closed)
        except Exception as error:
            logger.exception("the stream of events ended")
            self._watcher.fail_all(AerlockError(f"the stream of events ended: {error}"))
        finally:
            self.standing.set()

    def _follow(self, backoff: "Backoff") -> None:
        request = jobs_pb2.WatchJobsRequest(after_cursor=self._cursor)
        self._call = self._connection.open_stream(self._connection.jobs.WatchJobs, request)
        if self._closed.is_set():
            self._call.cancel()
        try:
            for response in self._call:
                if self._closed.is_set():
                    return
                backoff.reset()
                self._take(response)
        finally:
            self._call.cancel()

    def _take(self, response: jobs_pb2.WatchJobsResponse) -> None:
        started_anew = self._cursor == NOW and self.standing.is_set()
        self._cursor = response.cursor
        self.standing.set()
        if started_anew:
            self._watcher.catch_up_all()
        self._watcher.feed(response)

    def _recover(self, error: grpc.RpcError) -> None:
        """Decides how the stream goes on; ends every subscription where it cannot."""
        code = cast("grpc.Call", error).code().name
        if self._closed.is_set():
            return
        if code == "INVALID_ARGUMENT" and self._cursor != NOW:
            # The server's log is not the one that the cursor came from.
            self._cursor = NOW
        elif code in _PASSING:
            logger.info("the stream of events broke and will be resumed: %s", to_exception(error))
        else:
            self._closed.set()
            self._watcher.fail_all(to_exception(error))


class Dispatcher:
    """One thread that runs the callbacks, one after the other."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, task: Callable[[], None]) -> None:
        """Runs ``task`` after those that came before; it must not raise."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="aerlock-callbacks", daemon=True)
                self._thread.start()
        self._tasks.put(task)

    def is_current(self) -> bool:
        """Whether the caller is in a callback."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Ends the thread after what has been submitted; does not wait for it."""
        if self._thread is not None:
            self._tasks.put(None)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


class Backoff:
    """Waits longer after each failure in a row."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self.reset()

    def reset(self) -> None:
        """Starts anew after a success."""
        self._seconds = 0.05

    def wait(self, closed: threading.Event, at_most: float | None = None) -> None:
        """Waits, or returns at once when ``closed`` is set."""
        # Many clients of one server must not come back in the same moment.
        delay = self._seconds * random.uniform(0.5, 1.0)  # noqa: S311
        self._seconds = min(self._seconds * 2, LONGEST_BACKOFF_SECONDS)
        closed.wait(delay if at_most is None else min(delay, at_most))


def remaining_seconds(deadline: float | None, job_id: str) -> float | None:
    """Seconds until ``deadline``; raises `RuntimeJobTimeoutError` when it is over."""
    if deadline is None:
        return None
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise RuntimeJobTimeoutError(f"Timeout while waiting for job {job_id}.")
    return remaining


def wait(event: threading.Event, deadline: float | None, job_id: str) -> None:
    """Waits for ``event`` in slices, so that Ctrl-C interrupts everywhere; raises as `remaining_seconds`."""
    while not event.is_set():
        remaining = remaining_seconds(deadline, job_id)
        event.wait(0.5 if remaining is None else min(0.5, remaining))
