# Reports a failure with a message of a megabyte and forged figures. Expected: a program error, cut short.
import os

from attack import write_frame

from aerlock.v1.jobs_pb2 import FAILURE_REASON_PROGRAM_ERROR, JobFailure
from aerlock_executor.v1.cell_pb2 import CellFrame


def main(backend, user_messenger, **kwargs):
    text = "x" * 500_000
    failure = JobFailure(
        reason=FAILURE_REASON_PROGRAM_ERROR,
        message=text,
        traceback=text,
        signal=9,
        exit_code=7,
        limit=1,
        used=2,
    )
    write_frame(CellFrame(failure=failure).SerializeToString())
    os._exit(1)
