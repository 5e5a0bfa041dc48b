# Publishes from exit handlers, finalizers and threads when main has returned. Expected: what main returned.
import atexit
import threading
import time
import weakref


class Late:
    def __del__(self):
        keep.publish("from a finalizer", final=True)


keep = None


def main(backend, user_messenger, **kwargs):
    global keep, late
    keep, late = user_messenger, Late()
    atexit.register(user_messenger.publish, "from an exit handler", final=True)
    weakref.finalize(late, user_messenger.publish, "from a weak reference", final=True)

    def publish():
        while True:
            try:
                user_messenger.publish("late", final=True)
            except Exception:
                time.sleep(0)

    threading.Timer(0.001, publish).start()
    return "returned"
