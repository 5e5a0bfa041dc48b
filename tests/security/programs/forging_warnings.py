# Writes warnings by itself, of codes that there are not and ever more of one that there is.
# Expected: the result, and no more warnings than a job may have, each short and of a known code.
import os
import struct

from aerlock.v1.jobs_pb2 import JobWarning
from aerlock_executor.v1.cell_pb2 import CellFrame


def main(backend, user_messenger, **kwargs):
    for number in range(400):
        code = "SERVER_BROKEN" if number % 2 else "INTERIM_RESULT_MISMATCH"
        payload = CellFrame(warning=JobWarning(code=code, message="x" * 20_000)).SerializeToString()
        payload = struct.pack("<I", len(payload)) + payload
        while payload:
            payload = payload[os.write(4, payload) :]
    return "published"
