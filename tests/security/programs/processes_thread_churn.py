# Makes and ends threads as fast as it can, so that process ids run around. Expected: the time limit.
import threading


def main(backend, user_messenger, **kwargs):
    while True:
        try:
            threads = [threading.Thread(target=int) for _ in range(64)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except RuntimeError:
            pass
