# Tries every option of prctl, arch_prctl and seccomp. Expected: an empty list.
from attack import ANSWERS_OF_THE_FILTER, let_through, syscall

READ_OR_NAMED = {2, 3, 15, 16, 21, 23, 30, 39}


def main(backend, user_messenger, **kwargs):
    found = []
    for option in [*range(256), 0x59616D61, 0x53564D41, 0x41555856, 22 | 1 << 32]:
        if option not in READ_OR_NAMED and -syscall("prctl", option, 1, 1, 1, 1) not in ANSWERS_OF_THE_FILTER:
            found.append(option)
    filters = {f"seccomp {operation}": ("seccomp", operation, 0, bytes(16)) for operation in range(4)}
    return found + let_through({**filters, "arch_prctl": ("arch_prctl", 0x1002, 0)})
