# Reports a failure whose message is not UTF-8. Expected: an invalid result.
import time

from attack import write_frame


def main(backend, user_messenger, **kwargs):
    write_frame(bytes.fromhex("220608011202fffe"))
    time.sleep(600)
