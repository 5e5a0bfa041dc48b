# Claims that the executor was lost and how much it used. Expected: no result; the claim counts for nothing.
import os
import struct


def main(backend, user_messenger, **kwargs):
    payload = bytes.fromhex("2202080a")  # CellFrame{failure: {reason: EXECUTOR_LOST}}
    os.write(4, struct.pack("<I", len(payload)) + payload)
    os._exit(1)
