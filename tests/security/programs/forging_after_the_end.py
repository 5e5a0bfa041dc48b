# Goes on in a thread after the final result. Expected: a protocol error.
import threading
import time

from attack import write_frame


def main(backend, user_messenger, **kwargs):
    def flood():
        while True:
            write_frame(bytes.fromhex("12021807"))

    threading.Thread(target=flood).start()
    write_frame(bytes.fromhex("1a021805"))
    time.sleep(600)
