# Leaves timers, alarms and threads in signal storms behind when main returns. Expected: what it returned.
import os
import signal
import threading


def main(backend, user_messenger, **kwargs):
    for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 1e-5, 1e-5)

    def storm():
        while True:
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGINT)

    for _ in range(4):
        threading.Thread(target=storm).start()
    return "returned"
