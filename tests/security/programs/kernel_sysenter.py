# Enters the kernel by SYSENTER, which takes the 32-bit way. Expected: crashed, by SIGSYS or an illegal step.
import ctypes
import mmap


def main(backend, user_messenger, **kwargs):
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    code = mmap.mmap(-1, 4096, flags, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b81400000089e50f34c3"))  # mov eax, 20 (getpid); mov ebp, esp; sysenter; ret
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
    return "went on"
