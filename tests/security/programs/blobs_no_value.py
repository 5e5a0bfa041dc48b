# Writes a large value that is noise. Expected: an invalid result, before anyone refers to it.
import os
import time


def main(backend, user_messenger, **kwargs):
    user_messenger._pipe.put([os.urandom(2_000_000)])
    time.sleep(600)
