"""Which state of a job may follow which: the only place that says so."""

from collections.abc import Mapping
from typing import Final

from aerlock.v1.jobs_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_UNSPECIFIED,
    JobState,
)

TERMINAL: Final = frozenset({JOB_STATE_COMPLETED, JOB_STATE_FAILED, JOB_STATE_CANCELLED})

# A job that is being cancelled may still return or fail first: what happened counts.
# A running job becomes CANCELLED without CANCELLING where its executor was told by others.
_FOLLOWERS: Final[Mapping[int, frozenset[int]]] = {
    JOB_STATE_UNSPECIFIED: frozenset({JOB_STATE_QUEUED}),
    JOB_STATE_QUEUED: frozenset({JOB_STATE_RUNNING, JOB_STATE_FAILED, JOB_STATE_CANCELLED}),
    JOB_STATE_RUNNING: frozenset({JOB_STATE_CANCELLING}) | TERMINAL,
    JOB_STATE_CANCELLING: TERMINAL,
}


class IllegalTransitionError(Exception):
    """A job cannot go from the one state to the other: a fault of the gateway or the executor."""


def check_transition(old: int, new: int) -> None:
    """Raises `IllegalTransitionError` where a job in state ``old`` cannot become ``new``."""
    if new not in _FOLLOWERS.get(old, frozenset()):
        raise IllegalTransitionError(f"a job cannot go from {JobState.Name(old)} to {JobState.Name(new)}")  # type: ignore[arg-type]
