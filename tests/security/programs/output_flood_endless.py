# Writes to both streams without end, far beyond the cap. Expected: the time limit.
import os
import threading


def main(backend, user_messenger, **kwargs):
    def flood(fd):
        data = bytes(1 << 20)
        while True:
            os.write(fd, data)

    threading.Thread(target=flood, args=(1,)).start()
    flood(2)
