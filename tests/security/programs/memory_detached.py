# Keeps all but a page of shared memory unmapped, where no limit counts it. Expected: false, none is given.
import ctypes

SIZE = 64 << 20
PROT_READ_WRITE = 3
MAP_SHARED_ANONYMOUS = 0x21


def main(backend, user_messenger, **kwargs):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    held = 0
    for _ in range(24):
        address = libc.mmap(None, SIZE, PROT_READ_WRITE, MAP_SHARED_ANONYMOUS, -1, 0)
        if address in (None, ctypes.c_void_p(-1).value):
            break
        ctypes.memset(address, 1, SIZE)
        libc.munmap(address + 4096, SIZE - 4096)
        held += SIZE
    return held > 512 << 20
