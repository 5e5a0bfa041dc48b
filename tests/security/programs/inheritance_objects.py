# Goes up the stack and through every object for what controls other cells. Expected: an empty list.
import gc
import os
import socket
import sys


def main(backend, user_messenger, **kwargs):
    found = []
    gc.unfreeze()
    objects = gc.get_objects()
    frame = sys._getframe()
    while frame:
        objects += frame.f_locals.values()
        frame = frame.f_back
    for item in objects:
        kind = type(item)
        if kind.__name__ == "_Cell" and works(item.status_fd):
            found.append("the status of a cell")
        if kind is socket.socket and item.fileno() >= 0:
            found.append("a socket")
        if kind.__name__ == "_Zygote":
            found += ["cells of the zygote"] if item._cells else []
            found += ["the control socket"] if item._control.fileno() >= 0 else []
        if kind.__name__ == "CellFds" and works(item.status):
            found.append("the status pipe")
        if kind.__name__ == "_MemoryFinder" and item not in sys.meta_path:
            found.append("another program")
    return found


def works(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return fd > 4
