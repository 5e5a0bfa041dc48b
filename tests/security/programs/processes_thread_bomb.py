# Starts threads until refused. Expected: true, there is a limit and it is below a thousand.
import threading


def main(backend, user_messenger, **kwargs):
    release = threading.Event()
    started = 0
    try:
        while started < 5_000:
            threading.Thread(target=release.wait, daemon=True).start()
            started += 1
    except RuntimeError:
        pass
    release.set()
    return 0 < started < 1_000
