# Writes a million large values that are empty. Expected: an invalid result at the first.
import os
import struct

from aerlock_executor.v1.cell_pb2 import CellBlobPart, CellFrame


def main(backend, user_messenger, **kwargs):
    payload = CellFrame(blob_part=CellBlobPart(last=True)).SerializeToString()
    frames = (struct.pack("<I", len(payload)) + payload) * 1000
    for _ in range(1000):
        os.write(4, frames)
