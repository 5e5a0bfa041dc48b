# Signals everyone and every group that it can name. Expected: an empty list, and the job goes on.
import os
import signal


def main(backend, user_messenger, **kwargs):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hit = []
    for pid in (-1, *range(-5_000, -2), -(2**31)):
        if -pid == os.getpgid(0):
            continue
        try:
            os.kill(pid, signal.SIGTERM)
            hit.append(pid)
        except OSError:
            pass
    return hit
