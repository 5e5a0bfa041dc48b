# Closes its pipe and leaves with status 0, as if it had ended well. Expected: no result.
import os


def main(backend, user_messenger, **kwargs):
    os.close(4)
    os._exit(0)
