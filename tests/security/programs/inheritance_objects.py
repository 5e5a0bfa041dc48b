# Goes up the stack and through every object for what controls other cells. Expected: an empty list.
import gc
import os
import select
import socket
import sys


def main(backend, user_messenger, **kwargs):
    found = []
    objects = gc.get_objects()
    frame = sys._getframe()
    while frame:
        objects += frame.f_locals.values()
        frame = frame.f_back
    for item in objects:
        kind = type(item)
        if kind is socket.socket and item.fileno() >= 0:
            found.append("a socket")
        if kind.__name__ == "_Zygote":
            found += ["cells of the zygote"] if item._cells else []
            found += ["the control socket"] if item._control.fileno() >= 0 else []
        if kind.__name__ == "CellFds" and works(item.status):
            found.append("the status pipe")
        if isinstance(item, select.poll):
            found += ["a poll object"] if any(fd > 4 for fd, _ in item.poll(0)) and works(5) else []
    return found


def works(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return fd > 4
