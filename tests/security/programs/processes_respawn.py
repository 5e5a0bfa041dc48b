# Threads that start each other anew, block every signal and hold the pipes, and is cancelled.
# Expected: cancelled.
import os
import signal
import threading


def main(backend, user_messenger, **kwargs):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

    def live_on():
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        os.close(os.dup(4))
        while True:
            try:
                threading.Thread(target=live_on).start()
                return
            except RuntimeError:
                pass

    for _ in range(16):
        threading.Thread(target=live_on).start()
    user_messenger.publish("cancel me")
    while True:
        os.close(os.dup(4))
