# Holds pages of deleted files in sockets and pipes, a byte of each. Expected: false, no page gets there.
import os
import socket


def main(backend, user_messenger, **kwargs):
    file = os.open("/tmp/pages", os.O_CREAT | os.O_RDWR)
    os.write(file, b"x" * 8192)
    ends = socket.socketpair()
    pipe = os.pipe()
    for target in (ends[0].fileno(), pipe[1]):
        try:
            if os.sendfile(target, file, 4095, 2):
                return True
        except OSError:
            pass
    return False
