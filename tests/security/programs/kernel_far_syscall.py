# Makes SYSCALL in 32-bit code, behind a far return. Expected: crashed, by SIGSYS or an illegal step.
import ctypes
import mmap

from attack import libc

MAP_32BIT = 0x40


def main(backend, user_messenger, **kwargs):
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    code = libc.mmap(None, 4096, 7, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT, -1, 0)
    low = code + 64
    ctypes.memmove(low, bytes.fromhex("b8140000000f05f4"), 8)  # mov eax, 20 (getpid); syscall; hlt
    far = bytes.fromhex("48c7c4") + (code + 4000).to_bytes(4, "little")  # mov rsp, a stack below 4 GiB
    far += bytes.fromhex("6a23") + bytes.fromhex("68") + low.to_bytes(4, "little") + bytes.fromhex("48cb")
    ctypes.memmove(code, far, len(far))
    ctypes.CFUNCTYPE(None)(code)()
