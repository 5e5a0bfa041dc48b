# Says again that it is ready. Expected: a protocol error.
import os
import struct
import time


def main(backend, user_messenger, **kwargs):
    os.write(4, struct.pack("<I", 2) + b"\x0a\x00")
    time.sleep(600)
