# Writes 64 MiB to stdout and stderr, in lines without end. Expected: completed, the log is cut.
import os


def main(backend, user_messenger, **kwargs):
    for _ in range(512):
        os.write(1, b"x" * 65_536)
        os.write(2, b"y" * 65_536)
    return "written"
