# Floods itself with timers. Expected: true; only its own time goes by.
import signal
import time


def main(backend, user_messenger, **kwargs):
    seen = []
    for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF):
        signal.signal(number, lambda *_: seen.append(1))
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 1e-3, 1e-3)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        pass
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
    return bool(seen)
