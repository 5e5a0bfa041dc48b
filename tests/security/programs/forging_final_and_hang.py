# Writes a final result and does not end. Expected: the time limit, and no final result.
import time

from attack import write_frame


def main(backend, user_messenger, **kwargs):
    write_frame(bytes.fromhex("1a021805"))
    time.sleep(600)
