# Goes to 32-bit code by a far return and makes a call of i386 from there. Expected: crashed by SIGSYS.
import ctypes
import mmap

from attack import libc

MAP_32BIT = 0x40


def main(backend, user_messenger, **kwargs):
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    code = libc.mmap(None, 4096, 7, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT, -1, 0)
    # Its stack must lie below 4 GiB as well.
    stack = code + 4000
    low = code + 64
    ctypes.memmove(low, bytes.fromhex("b814000000cd80f4"), 8)  # mov eax, 20 (getpid); int 0x80; hlt
    far = bytes.fromhex("48c7c4") + stack.to_bytes(4, "little")  # mov rsp, stack
    far += bytes.fromhex("6a23") + bytes.fromhex("68") + low.to_bytes(4, "little") + bytes.fromhex("48cb")
    ctypes.memmove(code, far, len(far))
    ctypes.CFUNCTYPE(None)(code)()
