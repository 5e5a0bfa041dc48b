# Registers endless work for the end of the process. Expected: completed at once.
import atexit
import time
import weakref


class Endless:
    def __del__(self):
        time.sleep(600)


keep = Endless()


def main(backend, user_messenger, **kwargs):
    atexit.register(time.sleep, 600)
    weakref.finalize(keep, time.sleep, 600)
    return "returned"
