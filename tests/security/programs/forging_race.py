# Ends the process while the last frame is on its way. Expected: the whole result, or none.
import os
import threading

SIZE = 60_000


def main(backend, user_messenger, **kwargs):
    started = threading.Event()

    def end():
        started.set()
        while not user_messenger._pipe._closed:
            pass
        os._exit(0)

    threading.Thread(target=end).start()
    started.wait()
    return bytes(SIZE)
