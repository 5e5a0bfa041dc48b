# Forges parts of large values: given up and whole at once, whole and unwanted, and nothing.
# Expected: a protocol error at the last.
import time

from attack import write_frame

from aerlock.v1.values_pb2 import Value
from aerlock_executor.v1.cell_pb2 import CellBlobPart, CellFrame


def main(backend, user_messenger, **kwargs):
    whole = Value(int_value=7).SerializeToString()
    for part in (
        CellBlobPart(abandoned=True, last=True, data=whole),
        CellBlobPart(data=whole, last=True),
        CellBlobPart(),
    ):
        write_frame(CellFrame(blob_part=part).SerializeToString())
    time.sleep(600)
