# Publishes by itself, one byte at a time. Expected: completed; a job may say what it likes on its own pipe.
import os
import struct


def main(backend, user_messenger, **kwargs):
    payload = bytes.fromhex("12021807")  # CellFrame{interim_result: 7}
    for byte in struct.pack("<I", len(payload)) + payload:
        os.write(4, bytes([byte]))
    return "published"
