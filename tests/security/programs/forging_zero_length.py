# Writes a frame of length 0. Expected: a protocol error.
import os
import time


def main(backend, user_messenger, **kwargs):
    os.write(4, bytes(4))
    time.sleep(600)
