# Clones with every flag that a thread does not have, and without each that it has. Expected: an empty list.
import os

from attack import ANSWERS_OF_THE_FILTER, libc, syscall

THREAD = 0x3D0F00
NEEDED = (0x100, 0x200, 0x400, 0x800, 0x10000)
FORBIDDEN = (
    0x80, 0x2000, 0x4000, 0x8000, 0x800000, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000,
    0x40000000,
)  # fmt: skip


def main(backend, user_messenger, **kwargs):
    found = []
    flags = [THREAD & ~flag for flag in NEEDED] + [THREAD | flag for flag in FORBIDDEN]
    flags += [17, 0, 0x1200011, 0x4111, 17 | 1 << 40, *(17 | flag for flag in FORBIDDEN)]
    for flag in flags:
        result = syscall("clone", flag, 0, 0, 0, 0)
        if result == 0:
            os._exit(3)
        if -result not in ANSWERS_OF_THE_FILTER:
            found.append(hex(flag))
    for call in (libc.fork, libc.vfork):
        if call() == 0:
            os._exit(3)
    return found
