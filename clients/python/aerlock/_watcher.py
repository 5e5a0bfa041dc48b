"""One stream of events per service, behind every callback, result and wait.

A subscription first stands in the stream, then replays what came before, and
merges both by sequence: sequences are dense, so that an event that was seen is
known by its number and one that was missed by the gap that it leaves. Nothing
is lost and nothing comes twice, whatever breaks in between.
"""

import logging
import threading
import time
from typing import Any, Final, cast

import grpc

from aerlock._channel import Connection, to_exception
from aerlock._subscription import Subscription
from aerlock._threads import Backoff, Dispatcher, remaining_seconds, wait
from aerlock.exceptions import AerlockError, QuotaExceededError, ServerUnavailableError
from aerlock.v1 import jobs_pb2

logger = logging.getLogger("aerlock")

NOW: Final = -1
"""The cursor that starts a stream at what happens next."""
# What says that the server is gone or going, and not that it refuses.
_PASSING: Final = frozenset(
    {"UNAVAILABLE", "INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED"}
)


class Watcher:
    """Holds the stream while there is a subscription, and closes it with the last one."""

    def __init__(self, connection: Connection) -> None:
        self.dispatcher = Dispatcher()
        self._connection = connection
        self._lock = threading.Lock()
        self._by_job: dict[str, list[Subscription]] = {}
        self._stream: _Stream | None = None
        self._closed = False

    def subscribe(self, subscription: Subscription, owner: str, timeout: float | None = None) -> None:
        """Starts to deliver, with what has happened already; ``owner`` is the account of the job.

        Raises RuntimeJobNotFound, `RuntimeJobTimeoutError` after ``timeout``
        seconds, other errors of the server, and `AerlockError` after `close`.
        """
        self._connection.check_open()
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            stream = self._add(subscription, is_foreign=owner != self._connection.account)
            wait(stream.standing, deadline, subscription.job_id)
            self._catch_up(subscription, deadline)
        except BaseException:
            self.unsubscribe(subscription)
            raise
        if subscription.closed.is_set():
            self.unsubscribe(subscription)

    def _add(self, subscription: Subscription, is_foreign: bool) -> "_Stream":
        with self._lock:
            if self._closed:
                raise AerlockError("the service was closed")
            self._by_job.setdefault(subscription.job_id, []).append(subscription)
            if self._stream is None:
                # Known before it runs: an interrupt must not leave a stream that nobody closes.
                self._stream = _Stream(self, self._connection)
                self._stream.start()
            if is_foreign:
                self._stream.cover_all_accounts()
            return self._stream

    def unsubscribe(self, subscription: Subscription) -> None:
        """Delivers nothing more; harmless if it has ended."""
        subscription.closed.set()
        # Not later: at the exit of Python its finalizer may wait for a thread that is gone.
        subscription.replay = None
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
        with self._lock:
            self._closed = True
        self.fail_all(AerlockError("the service was closed"))
        self.dispatcher.close()

    def _catch_up_or_fail(self, subscription: Subscription) -> None:
        """Catches up where nobody waits for an error: the subscription gets it."""
        try:
            self._catch_up(subscription, is_patient=True)
        except AerlockError as error:
            subscription.fail(error)
        if subscription.closed.is_set():
            self.unsubscribe(subscription)

    def _catch_up(
        self, subscription: Subscription, deadline: float | None = None, is_patient: bool = False
    ) -> None:
        """Replays what ``subscription`` lacks, until the stream goes on where the replay ends.

        With ``is_patient`` it waits where too many streams are open.
        """
        backoff = Backoff()
        while subscription.claim_replay():
            complete = False
            try:
                self._replay(subscription, deadline)
                complete = True
            except (ServerUnavailableError, QuotaExceededError) as error:
                if isinstance(error, QuotaExceededError) and not is_patient:
                    raise
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
        # Kept until the wait is over: in its finalizer an interrupt of the main thread would be lost.
        subscription.replay = call
        try:
            for response in call:
                subscription.feed_replay(response.events, response.scanned_sequence)
                if subscription.closed.is_set():
                    return
                remaining_seconds(deadline, subscription.job_id)
        except grpc.RpcError as error:
            self._connection.check_open()
            raise to_exception(error) from None
        finally:
            call.cancel()


class _Stream:
    """A thread that follows all jobs of the account, or of all, from now on, and resumes where it broke."""

    def __init__(self, watcher: Watcher, connection: Connection) -> None:
        self.standing = threading.Event()
        """Set when no later event can be missed, or when the stream has ended."""
        self._watcher = watcher
        self._connection = connection
        self._closed = threading.Event()
        self._call: Any = None
        self._cursor = NOW
        self._all_accounts = False
        self._thread = threading.Thread(target=self._run, name="aerlock-watch", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def cover_all_accounts(self) -> None:
        """Follows the jobs of everyone, as an admin may, from where the stream stands."""
        if not self._all_accounts:
            self._all_accounts = True
            if self._call is not None:
                self._call.cancel()

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
            if self._closed.is_set():
                return
            logger.exception("the stream of events ended")
            self._watcher.fail_all(AerlockError(f"the stream of events ended: {error}"))
        finally:
            self.standing.set()

    def _follow(self, backoff: "Backoff") -> None:
        request = jobs_pb2.WatchJobsRequest(after_cursor=self._cursor, all_accounts=self._all_accounts)
        self._call = self._connection.open_stream(self._connection.jobs.WatchJobs, request)
        # Both may have changed since the request was made.
        if self._closed.is_set() or request.all_accounts != self._all_accounts:
            self._call.cancel()
        try:
            is_resumed = self.standing.is_set()
            for response in self._call:
                if self._closed.is_set():
                    return
                backoff.reset()
                self._cursor = response.cursor
                self.standing.set()
                if is_resumed:
                    # The cursor may be a new one; and of a job that was deleted meanwhile nothing comes.
                    is_resumed = False
                    self._watcher.catch_up_all()
                self._watcher.feed(response)
        finally:
            self._call.cancel()

    def _recover(self, error: grpc.RpcError) -> None:
        """Decides how the stream goes on; ends every subscription where it cannot."""
        code = cast("grpc.Call", error).code().name
        if self._closed.is_set():
            return
        if code == "INVALID_ARGUMENT" and self._cursor != NOW:
            # The server's log is not the one that the cursor came from.
            self._cursor = NOW
        elif code in _PASSING and (self.standing.is_set() or code != "RESOURCE_EXHAUSTED"):
            logger.info("the stream of events broke and will be resumed: %s", to_exception(error))
        else:
            self._closed.set()
            self._watcher.fail_all(to_exception(error))
