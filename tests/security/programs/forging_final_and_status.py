# Writes a final result and leaves with another status than 0. Expected: no result.
import os

from attack import write_frame


def main(backend, user_messenger, **kwargs):
    write_frame(bytes.fromhex("1a021805"))
    os._exit(1)
