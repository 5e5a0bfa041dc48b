# Begins large values and gives them up, and gives up what it has not begun, without end.
# Expected: the output limit.
import itertools
import os
import struct

from aerlock_executor.v1.cell_pb2 import CellBlobPart, CellFrame


def main(backend, user_messenger, **kwargs):
    parts = (
        CellBlobPart(data=b"x" * 1000),
        CellBlobPart(abandoned=True),
        CellBlobPart(abandoned=True, data=b"y"),
    )
    frames = [CellFrame(blob_part=part).SerializeToString() for part in parts]
    for frame in itertools.cycle(frames):
        os.write(4, struct.pack("<I", len(frame)) + frame)
