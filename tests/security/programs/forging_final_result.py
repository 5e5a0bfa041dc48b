# Writes a final result by itself and then returns another. Expected: a protocol error.
import os
import struct


def main(backend, user_messenger, **kwargs):
    payload = bytes.fromhex("1a021805")  # CellFrame{final_result: 5}
    os.write(4, struct.pack("<I", len(payload)) + payload)
    return 6
