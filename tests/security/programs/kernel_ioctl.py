# Tries every small request of ioctl on what it holds, with high bits too. Expected: an empty list.
import os

from attack import syscall

ALLOWED = {0x541B, 0x5421, 0x5450, 0x5451, 0x5401, 0x5413}
ENOTTY = 25
LARGE = (
    0x80045430,
    0x40045431,
    0x5412 | 1 << 32,
    0x541C | 1 << 40,
    0xC0189436,
    0x40086602,
    0x40049409,
    0xB702,
)


def main(backend, user_messenger, **kwargs):
    descriptors = [0, 1, 4, os.open("/tmp", os.O_RDONLY), os.open("/dev/urandom", os.O_RDONLY), os.pipe()[0]]
    found = set()
    for request in [*range(0x10000), *LARGE]:
        if request & 0xFFFFFFFF in ALLOWED:
            continue
        for fd in descriptors if request > 0x5000 else descriptors[:1]:
            if syscall("ioctl", fd, request, 0) != -ENOTTY:
                found.add(request)
    return sorted(found)
