# Ignores every signal, leaves a thread behind and goes. Expected: completed, nothing left.
import ctypes
import signal
import threading
import time


def main(backend, user_messenger, **kwargs):
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    cleared = ctypes.CDLL(None).prctl(1, 0, 0, 0, 0) == 0
    threading.Thread(target=time.sleep, args=(600,)).start()
    return cleared
