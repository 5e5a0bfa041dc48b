# Claims a reason that only the executor may give. Expected: no result.
import os

from attack import write_frame

from aerlock.v1.jobs_pb2 import FAILURE_REASON_TIME_LIMIT, JobFailure
from aerlock_executor.v1.cell_pb2 import CellFrame


def main(backend, user_messenger, **kwargs):
    failure = JobFailure(reason=FAILURE_REASON_TIME_LIMIT, message="honest", limit=1, used=2)
    write_frame(CellFrame(failure=failure).SerializeToString())
    os._exit(1)
