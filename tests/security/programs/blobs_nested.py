# Hides a reference to a large value in another one. Expected: an invalid result.
import time

from aerlock import codec
from aerlock.v1.values_pb2 import ListValue, Value


def main(backend, user_messenger, **kwargs):
    inner = user_messenger._pipe.put([codec.to_value(bytes(1000)).SerializeToString()])
    user_messenger.publish("sound so far")
    outer = Value(list_value=ListValue(values=[Value(blob_value=inner)]))
    user_messenger._pipe.put([outer.SerializeToString()])
    time.sleep(600)
