"""The states of a job, by the names that Qiskit gives them."""

import enum
from typing import Final

from aerlock.v1 import jobs_pb2


class JobStatus(enum.Enum):
    """A job's state; the names and texts are those of qiskit.providers.JobStatus."""

    INITIALIZING = "job is being initialized"
    QUEUED = "job is queued"
    RUNNING = "job is actively running"
    CANCELLED = "job has been cancelled"
    DONE = "job has successfully run"
    ERROR = "job incurred error"


JOB_FINAL_STATES: Final = frozenset({JobStatus.DONE, JobStatus.CANCELLED, JobStatus.ERROR})

BY_STATE: Final = {
    jobs_pb2.JOB_STATE_QUEUED: JobStatus.QUEUED,
    jobs_pb2.JOB_STATE_RUNNING: JobStatus.RUNNING,
    # Its processes are still there.
    jobs_pb2.JOB_STATE_CANCELLING: JobStatus.RUNNING,
    jobs_pb2.JOB_STATE_COMPLETED: JobStatus.DONE,
    jobs_pb2.JOB_STATE_FAILED: JobStatus.ERROR,
    jobs_pb2.JOB_STATE_CANCELLED: JobStatus.CANCELLED,
}
"""The status that stands for each state on the wire."""

TERMINAL_STATES: Final = frozenset(state for state, status in BY_STATE.items() if status in JOB_FINAL_STATES)
