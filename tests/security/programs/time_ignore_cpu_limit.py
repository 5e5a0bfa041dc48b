# Spins on every core and ignores the signal of the CPU limit. Expected: the CPU limit.
import hashlib
import signal
import threading


def main(backend, user_messenger, **kwargs):
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))

    def spin():
        block = bytes(1 << 20)
        while True:
            hashlib.sha256(block).digest()

    for _ in range(4):
        threading.Thread(target=spin).start()
    spin()
