# Writes half frames between those of the messenger. Expected: a protocol error, or an invalid result.
import os
import threading


def main(backend, user_messenger, **kwargs):
    def tear():
        while True:
            os.write(4, b"\x40\x00\x00\x00torn")

    for _ in range(4):
        threading.Thread(target=tear).start()
    while True:
        user_messenger.publish("whole")
