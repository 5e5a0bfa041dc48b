# Reports a failure and leaves with status 0. Expected: no result.
import os

from attack import write_frame


def main(backend, user_messenger, **kwargs):
    write_frame(bytes.fromhex("22020801"))
    os._exit(0)
