# Fills every descriptor with a pipe or a socket that is full, and holds it. Expected: true, that is bounded.
import os
import socket
import time


def main(backend, user_messenger, **kwargs):
    held, kept = 0, []
    try:
        while True:
            ends = socket.socketpair() if len(kept) % 2 else [open(fd, "wb", 0) for fd in os.pipe()]
            kept.append(ends)
            for end in ends if len(kept) % 2 == 0 else ends[1:]:
                os.set_blocking(end.fileno(), False)
                try:
                    while True:
                        held += os.write(end.fileno(), bytes(65_536))
                except BlockingIOError:
                    pass
    except OSError:
        time.sleep(1)
    return 0 < held < 128 << 20
