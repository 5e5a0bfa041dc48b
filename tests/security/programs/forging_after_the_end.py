# Keeps its pipe open in a thread after the final result, and floods it. Expected: what it returned, or an error.
import threading

from attack import write_frame


def main(backend, user_messenger, **kwargs):
    def flood():
        while True:
            write_frame(bytes.fromhex("12021807"))

    threading.Thread(target=flood).start()
    return "returned"
