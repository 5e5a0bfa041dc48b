# Writes a frame of a kind that does not exist. Expected: a protocol error.
import os
import struct
import time


def main(backend, user_messenger, **kwargs):
    os.write(4, struct.pack("<I", 4) + b"\xfa\x01\x01x")
    time.sleep(600)
