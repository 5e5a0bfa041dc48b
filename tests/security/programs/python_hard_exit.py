# Leaves by os._exit with a status that looks good. Expected: no result.
import os


def main(backend, user_messenger, **kwargs):
    os._exit(0)
