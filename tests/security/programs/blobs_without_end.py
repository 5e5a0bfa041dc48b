# Writes parts of one large value without end. Expected: the output limit, before there is an end.
import os
import struct

from aerlock_executor.v1.cell_pb2 import CellBlobPart, CellFrame


def main(backend, user_messenger, **kwargs):
    payload = CellFrame(blob_part=CellBlobPart(data=bytes(1_000_000))).SerializeToString()
    while True:
        os.writev(4, [struct.pack("<I", len(payload)), payload])
