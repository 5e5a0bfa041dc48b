# Writes a frame that claims 4 GiB. Expected: a protocol error, and no memory taken for it.
import os
import time


def main(backend, user_messenger, **kwargs):
    os.write(4, b"\xff\xff\xff\xff" + b"x" * 1000)
    time.sleep(600)
