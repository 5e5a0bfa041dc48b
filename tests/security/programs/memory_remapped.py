# Takes memory by detours: made writable later, moved, grown, private copies of files, an endless stack.
# Expected: an empty list, each is bounded.
import ctypes
import os
import resource
import threading

from attack import libc

SIZE = 32 << 20
BOUND = 1 << 30
ANONYMOUS, GROWING, PRIVATE = 0x22, 0x122, 0x2
MAYMOVE, DONTUNMAP = 1, 4
NONE = (None, 2**64 - 1)


def main(backend, user_messenger, **kwargs):
    libc.mmap.restype = libc.mremap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))
    with open("/tmp/file", "wb") as file:
        file.truncate(SIZE)
    fd = os.open("/tmp/file", os.O_RDWR)
    kinds = {
        "made writable": made_writable,
        "moved": moved,
        "copied": lambda: libc.mmap(None, SIZE, 3, PRIVATE, fd, 0),
        "growing down": lambda: libc.mmap(None, SIZE, 3, GROWING, -1, 0),
    }
    return [name for name, take in kinds.items() if endless(take)] + (["stack"] if stack() else [])


def made_writable():
    address = libc.mmap(None, SIZE, 0, ANONYMOUS, -1, 0)
    return None if address in NONE or libc.mprotect(address, SIZE, 3) else address


def moved():
    address = libc.mmap(None, 4096, 3, ANONYMOUS, -1, 0)
    grown = libc.mremap(address, 4096, SIZE, MAYMOVE) if address not in NONE else None
    return grown if grown in NONE else libc.mremap(grown, SIZE, SIZE, MAYMOVE | DONTUNMAP)


def endless(take):
    held = []
    while SIZE * len(held) < BOUND and (address := take()) not in NONE:
        ctypes.memset(address, 1, SIZE // 2)
        held.append(address)
    for address in held:
        libc.munmap(address, SIZE)
    return SIZE * len(held) >= BOUND


def stack():
    try:
        threading.stack_size(BOUND)
        threading.Thread(target=int).start()
    except (RuntimeError, MemoryError, ValueError):
        return False
    return True
