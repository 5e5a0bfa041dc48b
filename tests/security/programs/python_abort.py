# Aborts. Expected: crashed by SIGABRT.
import os


def main(backend, user_messenger, **kwargs):
    os.abort()
