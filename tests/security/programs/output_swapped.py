# Prints into the pipe of results. Expected: a protocol error.
import os
import time


def main(backend, user_messenger, **kwargs):
    os.dup2(4, 1)
    print("not a frame" * 100, flush=True)
    time.sleep(600)
