# Refers to a large value that it wrote as if it were larger. Expected: an invalid result.
import os
import struct
import time

from aerlock import codec
from aerlock.v1.values_pb2 import Value
from aerlock_executor.v1.cell_pb2 import CellFrame


def main(backend, user_messenger, **kwargs):
    blob = user_messenger._pipe.put([codec.to_value(bytes(1000)).SerializeToString()])
    blob.size_bytes = 1 << 40
    payload = CellFrame(interim_result=Value(blob_value=blob)).SerializeToString()
    os.write(4, struct.pack("<I", len(payload)) + payload)
    time.sleep(600)
