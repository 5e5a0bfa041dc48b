# Maps memory in each way that a limit may have missed. Expected: an empty list, none holds a gigabyte.
import ctypes

from attack import libc

SIZE = 64 << 20
BOUND = 1400 << 20
KINDS = {
    "private": 0x22, "shared": 0x21, "shared and validated": 0x23, "not reserved": 0x4022,
    "growing down": 0x122, "populated": 0x8022, "shared with high bits": 0x21 | 1 << 32,
    "huge pages": 0x40022, "shared huge": 0x40021, "locked": 0x2022, "huge gigabytes": 0x78040022,
}  # fmt: skip


def main(backend, user_messenger, **kwargs):
    libc.mmap.restype = libc.mremap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_long,
        ctypes.c_int,
        ctypes.c_long,
    ]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    found = []
    for name, flags in KINDS.items():
        held = []
        while SIZE * len(held) < BOUND and (address := libc.mmap(None, SIZE, 3, flags, -1, 0)) not in (
            None,
            2**64 - 1,
        ):
            held.append(address)
        if held and ("huge" in name or "shared" in name or "locked" in name):
            found.append(f"{name}: mapped")
        if SIZE * len(held) >= BOUND:
            found.append(f"{name}: without a bound")
        for address in held:
            libc.munmap(address, SIZE)
    libc.sbrk.restype = ctypes.c_void_p
    libc.sbrk.argtypes = [ctypes.c_long]
    grown = 0
    while grown < BOUND and libc.sbrk(SIZE) not in (None, 2**64 - 1):
        grown += SIZE
    libc.sbrk(-grown)
    return found + (["break: without a bound"] if grown >= BOUND else [])
