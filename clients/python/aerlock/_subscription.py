"""What one caller wants of one job's log: each event once and in order, wherever it comes from."""

import threading
from collections.abc import Callable, Collection
from typing import Final

from aerlock.exceptions import AerlockError
from aerlock.job_status import TERMINAL_STATES
from aerlock.v1 import jobs_pb2


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
        self.replay: object = None
        """The call that replays, or did last."""
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
