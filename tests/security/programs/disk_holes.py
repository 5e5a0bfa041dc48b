# Makes files full of holes and fills them through mappings. Expected: ended by SIGBUS, at the limit.
import ctypes
import mmap
import os

COUNT = 64
SIZE = 32 << 20  # The size that one file may have.


def main(backend, user_messenger, **kwargs):
    for number in range(COUNT):
        name = b"/tmp/" + f"{number}\n\x1b[2J".encode().ljust(255, b"\xff")
        fd = os.open(name, os.O_CREAT | os.O_RDWR)
        os.ftruncate(fd, SIZE)
        mapped = mmap.mmap(fd, SIZE)
        ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(mapped)), 1, SIZE)
        os.close(fd)
