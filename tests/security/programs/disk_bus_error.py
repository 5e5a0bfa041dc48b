# Maps a file, cuts it and reads beyond its end. Expected: crashed by SIGBUS.
import ctypes
import mmap
import os


def main(backend, user_messenger, **kwargs):
    fd = os.open("/tmp/cut", os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, 1 << 20)
    mapped = mmap.mmap(fd, 1 << 20)
    os.ftruncate(fd, 0)
    ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(mapped)) + 4096, 1, 1)
