# Starts threads with the largest stacks there are, and touches them. Expected: true, they are bounded.
import threading


def main(backend, user_messenger, **kwargs):
    release = threading.Event()
    threading.stack_size(64 << 20)
    started = 0
    try:
        for _ in range(1_000):
            threading.Thread(target=release.wait, daemon=True).start()
            started += 1
    except (RuntimeError, MemoryError):
        pass
    release.set()
    return 0 < started < 32
