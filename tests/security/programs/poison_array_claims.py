# Writes an array whose shape claims more than its bytes. Expected: an invalid result.
import time

from attack import write_frame

from aerlock import codec
from aerlock_executor.v1.cell_pb2 import CellFrame


def main(backend, user_messenger, **kwargs):
    import numpy

    value = codec.to_value(numpy.zeros(4))
    del value.array_value.shape[:]
    value.array_value.shape.extend([1 << 31, 1 << 31, 1 << 31])
    write_frame(CellFrame(interim_result=value).SerializeToString())
    time.sleep(600)
