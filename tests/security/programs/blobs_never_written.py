# Returns a reference to a large value that it never wrote. Expected: an invalid result.
import os
import struct
import time

from aerlock.v1.values_pb2 import BlobRef, Value
from aerlock_executor.v1.cell_pb2 import CellFrame


def main(backend, user_messenger, **kwargs):
    blob = BlobRef(sha256="0" * 64, size_bytes=2_000_000)
    payload = CellFrame(final_result=Value(blob_value=blob)).SerializeToString()
    os.write(4, struct.pack("<I", len(payload)) + payload)
    time.sleep(600)
