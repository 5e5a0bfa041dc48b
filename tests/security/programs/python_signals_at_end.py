# Interrupts itself from threads without a pause while main returns. Expected: its result, or a program error.
import os
import signal
import threading


def main(backend, user_messenger, **kwargs):
    started = threading.Event()

    def interrupt():
        while True:
            os.kill(os.getpid(), signal.SIGINT)
            started.set()

    signal.signal(signal.SIGINT, lambda *_: None)
    threading.Thread(target=interrupt).start()
    started.wait()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return "returned"
