# Hides a task id, an offset, an end and a usage in its frames. Expected: they are dropped, its result stands.
import os

from attack import write_frame

from aerlock.v1.jobs_pb2 import JOB_STATE_CANCELLED, JobUsage
from aerlock_executor.v1.executor_pb2 import TaskEnded, TaskEvent


def main(backend, user_messenger, **kwargs):
    forged = TaskEvent(
        offset=1 << 40, ended=TaskEnded(state=JOB_STATE_CANCELLED, usage=JobUsage(output_bytes=1))
    )
    payload = forged.SerializeToString()
    hidden = bytes.fromhex("aa1f") + bytes([len(payload)]) + payload  # an unknown field
    write_frame(hidden + bytes.fromhex("12021807") + hidden)
    write_frame(hidden + bytes.fromhex("1a021805"))
    os._exit(0)
