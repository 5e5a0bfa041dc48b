# Ignores and blocks every signal in every thread, and is cancelled. Expected: cancelled.
import signal
import threading
import time


def main(backend, user_messenger, **kwargs):
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    for _ in range(8):
        threading.Thread(target=time.sleep, args=(600,)).start()
    user_messenger.publish("cancel me")
    while True:
        time.sleep(600)
