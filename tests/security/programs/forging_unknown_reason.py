# Claims a reason that does not exist. Expected: no result.
import os

from attack import write_frame


def main(backend, user_messenger, **kwargs):
    write_frame(bytes.fromhex("220308b960"))
    os._exit(1)
