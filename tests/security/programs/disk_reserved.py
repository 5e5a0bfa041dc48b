# Reserves, punches, collapses and swaps parts of files beyond their ends. Expected: true, they count.
import os

from attack import syscall

KEEP_SIZE, PUNCH_HOLE = 1, 2
STEP = 4 << 20


def main(backend, user_messenger, **kwargs):
    reserved = 0
    for number in range(64):
        fd = os.open(f"/tmp/{number}", os.O_CREAT | os.O_RDWR)
        for place in range(8):
            if syscall("fallocate", fd, KEEP_SIZE, place * STEP, STEP) == 0:
                reserved += STEP
        for mode in range(2, 256):
            syscall("fallocate", fd, mode, 0, 4096)
    os.truncate("/tmp/0", 0)
    status = os.statvfs("/tmp")
    return 0 < reserved <= status.f_blocks * status.f_frsize
