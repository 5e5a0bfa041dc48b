# Floods logs, results and large values at the same time, past the messenger. Expected: the output limit,
# or a protocol error where two threads have met.
import os
import threading

from attack import write_frame


def main(backend, user_messenger, **kwargs):
    def log():
        while True:
            os.write(1, bytes(65_536))

    def publish():
        while True:
            write_frame(bytes.fromhex("12021807"))

    for work in (log, log, publish):
        threading.Thread(target=work).start()
    while True:
        user_messenger.publish(bytes(100_000))
