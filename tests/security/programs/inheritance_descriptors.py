# Looks for descriptors, sockets and environment of whoever started it. Expected: an empty list.
import gc
import os
import socket


def main(backend, user_messenger, **kwargs):
    found = []
    for fd in range(4_096):
        try:
            os.fstat(fd)
        except OSError:
            continue
        if fd not in (0, 1, 2, 4):  # The input, 3, is closed by now.
            found.append(fd)
    for item in gc.get_objects():
        if isinstance(item, socket.socket) and item.fileno() >= 0:
            found.append("socket")
    for name in os.environ:
        if any(word in name for word in ("AERLOCK", "TOKEN", "SECRET", "PATH", "USER", "SSH")):
            found.append(name)
    if os.read(0, 1):
        found.append("stdin")
    return found
