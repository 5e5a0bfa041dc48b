# Returns a map whose keys are no text, or come twice. Expected: an invalid result.
import time

from attack import write_frame

from aerlock import codec
from aerlock_executor.v1.cell_pb2 import CellFrame


def main(backend, user_messenger, **kwargs):
    value = codec.to_value({"a": 1, "b": 2})
    value.map_value.entries[1].key = "a"
    write_frame(CellFrame(interim_result=value).SerializeToString())
    time.sleep(600)
