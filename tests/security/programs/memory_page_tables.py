# Maps single pages so far apart that each takes two more for the way to it. Expected: true, or the memory
# limit where the kernel counts them.
import ctypes

from attack import libc

FAR = 1 << 30
MAP_PRIVATE_ANONYMOUS_FIXED = 0x100022  # MAP_FIXED_NOREPLACE: nothing of its own is lost


def main(backend, user_messenger, **kwargs):
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    mapped = 0
    for number in range(1, 1 << 17):
        address = libc.mmap(number * FAR, 4096, 3, MAP_PRIVATE_ANONYMOUS_FIXED, -1, 0)
        if address == number * FAR:
            ctypes.memset(address, 1, 1)
            mapped += 1
    return 0 < mapped < 1 << 16
