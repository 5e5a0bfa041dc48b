# Begins a frame and leaves with status 0. Expected: no result.
import os


def main(backend, user_messenger, **kwargs):
    os.write(4, b"\x64\x00\x00\x00half")
    os._exit(0)
