# Gives each thread descriptors of its own, to hold more than one job may. Expected: true, it stays bounded.
import ctypes
import os
import threading

CLOSE_RANGE_UNSHARE = 2


def main(backend, user_messenger, **kwargs):
    libc = ctypes.CDLL(None, use_errno=True)
    opened = []
    done = threading.Event()

    def fill():
        libc.close_range(5000, 5000, CLOSE_RANGE_UNSHARE)
        try:
            while True:
                opened.append(os.pipe())
        except OSError:
            done.wait(10)

    threads = [threading.Thread(target=fill) for _ in range(8)]
    for thread in threads:
        thread.start()
    done.set()
    for thread in threads:
        thread.join()
    return 2 * len(opened) <= 256
