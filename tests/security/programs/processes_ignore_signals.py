# Swallows every signal and exception that should end it, and publishes about it. Expected: the time limit.
import signal
import time


def main(backend, user_messenger, **kwargs):
    for number in signal.valid_signals():
        try:
            signal.signal(number, lambda number, frame: None)
        except OSError:
            pass
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            user_messenger.publish("still here")
