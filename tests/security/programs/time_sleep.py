# Sleeps and ignores the polite signals. Expected: the time limit.
import signal
import time


def main(backend, user_messenger, **kwargs):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(600)
