# Leaves the kernel lists without an end, words to clear and handlers when its threads go. Expected: true.
import ctypes
import threading

from attack import syscall

LENGTH = 1 << 16


class Link(ctypes.Structure):
    pass


Link._fields_ = [("next", ctypes.POINTER(Link))]


class Head(ctypes.Structure):
    _fields_ = [("list", Link), ("offset", ctypes.c_long), ("pending", ctypes.POINTER(Link))]


def main(backend, user_messenger, **kwargs):
    links = (Link * LENGTH)()
    for number in range(LENGTH):
        links[number].next = ctypes.pointer(links[(number + 1) % LENGTH])
    heads = []

    def leave(address):
        head = Head(links[0], -8, ctypes.pointer(links[1]))
        heads.append(head)
        syscall("set_robust_list", ctypes.addressof(head), ctypes.sizeof(head))
        syscall("set_tid_address", address)
        syscall("exit", 0)

    # What does not belong to it, what does not exist, what is not aligned, what is the kernel's.
    for address in (8, 1 << 47, ctypes.addressof(links) + 3, (1 << 64) - 4096):
        for _ in range(8):
            thread = threading.Thread(target=leave, args=(address,), daemon=True)
            thread.start()
    while syscall("sched_yield") or len(heads) < 32:
        pass
    return True
