# Writes an array that claims more elements than any machine has. Expected: an invalid result.
import time

from aerlock.v1.values_pb2 import Array, Value


def main(backend, user_messenger, **kwargs):
    array = Array(element_type=1, shape=[1 << 62, 1 << 62], data=bytes(1_500_000))
    user_messenger._pipe.put([Value(array_value=array).SerializeToString()])
    time.sleep(600)
