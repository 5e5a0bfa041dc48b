# Tries every argument of calls that are many: advice, mappings, ranges, threads, limits, pairs.
# Expected: an empty list, what is refused is refused before the kernel looks at it.
import os

from attack import ANSWERS_OF_THE_FILTER, syscall

MADVICE = {0, 1, 2, 3, 4, 8, 10, 11, *range(14, 20), 102, 103}
THREAD, OPTIONAL = 0x10F00, 0x17C0000
NOWHERE = 1  # Not a page's beginning: what gets through is refused as that.


def main(backend, user_messenger, **kwargs):
    found = []
    values = [*range(512), *(1 << bit for bit in range(9, 64)), (1 << 32) | 12, (1 << 40) | 21]
    for value in values:
        low = value & 0xFFFFFFFF
        if low not in MADVICE and passes("madvise", NOWHERE, 4096, value):
            found.append(f"madvise {value:#x}")
        if low not in (0, 4) and passes("close_range", 5000, 5000, value):
            found.append(f"close_range {value:#x}")
        if low != 1 and passes("socketpair", value, 1, 0, 0):
            found.append(f"socketpair {value:#x}")
        if low != 0 and passes("prlimit64", value, 7, 0, 0):
            found.append(f"prlimit64 {value:#x}")
        for flags in (0x21 | value, 0x23 | value, 0x40022 | value):
            if (flags & 0x21 == 0x21 or flags & 0x40000) and passes("mmap", 0, 4096, 0, flags, -1, NOWHERE):
                found.append(f"mmap {flags:#x}")
        for flags in {value, THREAD ^ value, THREAD | 0x3C0000 ^ value}:
            if (flags & 0xFFFFFFFF) & ~OPTIONAL != THREAD and clones(flags):
                found.append(f"clone {flags:#x}")
    return found[:20]


def clones(flags):
    result = syscall("clone", flags, 0, 0, 0, 0)
    if result == 0:
        os._exit(3)
    return -result not in ANSWERS_OF_THE_FILTER


def passes(*call):
    return -syscall(*call) not in ANSWERS_OF_THE_FILTER
