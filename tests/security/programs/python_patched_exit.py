# Takes away the ways to end a process and leaves endless work behind. Expected: the time limit.
import atexit
import os
import sys
import time


def main(backend, user_messenger, **kwargs):
    os._exit = sys.exit = lambda *_: None
    atexit.register(time.sleep, 600)
    return "returned"
