# Writes a result in the handler of its own crash, in machine code, and ends well. Expected: its result.
import ctypes
import mmap

from attack import libc

SIGSEGV = 11
FRAME = bytes.fromhex("040000001a021805")  # CellFrame{final_result: 5}
# write(4, frame, 8); exit_group(0); the frame
CODE = bytes.fromhex("b801000000bf04000000488d3510000000ba080000000f05b8e700000031ff0f05") + FRAME


def main(backend, user_messenger, **kwargs):
    code = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
    code.write(CODE)
    handler = ctypes.addressof(ctypes.c_char.from_buffer(code))
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal(SIGSEGV, handler)
    ctypes.memset(0, 0, 1)
