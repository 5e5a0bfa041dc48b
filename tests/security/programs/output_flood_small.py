# Writes single bytes to both streams as fast as it can. Expected: the time limit.
import os
import threading


def main(backend, user_messenger, **kwargs):
    def flood(fd):
        while True:
            os.write(fd, b"x")

    threading.Thread(target=flood, args=(1,)).start()
    flood(2)
