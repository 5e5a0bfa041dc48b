# Takes memory in C until there is none, and touches all of it. Expected: true, it is bounded.
import ctypes

from attack import libc

SIZE = 8 << 20


def main(backend, user_messenger, **kwargs):
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    taken = 0
    while taken < 4 << 30 and (address := libc.malloc(SIZE)):
        ctypes.memset(address, 1, SIZE)
        taken += SIZE
    return 0 < taken < 1 << 30
