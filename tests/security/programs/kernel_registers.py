# Makes calls in machine code with what no C library puts into the registers. Expected: an empty list.
import ctypes
import mmap

from attack import ANSWERS_OF_THE_FILTER, MACHINE

# mov rax, rdi; mov rdi, rsi; mov rsi, rdx; mov rdx, rcx; mov r10, r8; mov r8, r9; syscall; ret
CODE = bytes.fromhex("4889f84889f74889d64889ca4d89c24d89c80f05c3")
HIGH = (1 << 32, 0xFFFFFFFF << 32, 1 << 63, 1 << 47)
REFUSED = {
    "socket": (2, 1, 0), "socketpair": (16, 3, 0, 0), "kill": (1, 9), "tgkill": (1, 1, 9),
    "prctl": (4, 1), "fcntl": (0, 8, 1), "ioctl": (0, 0x5412, 0), "clone": (17, 0, 0, 0),
    "unshare": (0x10000000,), "prlimit64": (1, 7, 0, 0), "close_range": (5000, 5000, 2),
    "ptrace": (0, 0, 0, 0), "keyctl": (0, 0, 0, 0), "execve": (0, 0, 0), "setsid": (), "madvise": (0, 0, 21),
    "mmap": (0, 4096, 3, 0x21),
}  # fmt: skip
ALSO = {25}  # ENOTTY, of ioctl


def main(backend, user_messenger, **kwargs):
    memory = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
    memory.write(CODE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    call = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_ulong] * 6)(address)
    found = []
    for name, arguments in REFUSED.items():
        padded = [*arguments, *[0] * (5 - len(arguments))]
        numbers = [MACHINE.numbers[name] | high for high in (0, *HIGH)]
        tried = [(number, padded) for number in numbers]
        # The first argument of ioctl and fcntl is a descriptor, and theirs to check; so are pointers.
        tried += [(numbers[0], [item | high for item in padded]) for high in HIGH]
        for number, items in tried:
            if -call(number, *items) not in {*ANSWERS_OF_THE_FILTER, *ALSO}:
                found.append(f"{name} {number:#x} {items[0]:#x}")
    return found
