# Publishes between the parts of a large value. Expected: a protocol error.
import os
import struct
import time

from aerlock_executor.v1.cell_pb2 import CellBlobPart, CellFrame


def main(backend, user_messenger, **kwargs):
    payload = CellFrame(blob_part=CellBlobPart(data=b"the first half")).SerializeToString()
    os.write(4, struct.pack("<I", len(payload)) + payload)
    user_messenger.publish("in between")
    time.sleep(600)
