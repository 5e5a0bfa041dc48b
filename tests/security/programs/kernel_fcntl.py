# Tries every command of fcntl: locks, leases, owners, notices, seals, pipe sizes. Expected: an empty list.
import os

from attack import ANSWERS_OF_THE_FILTER, let_through, syscall

ALLOWED = {0, 1, 2, 3, 4, 1030, 1032}


def main(backend, user_messenger, **kwargs):
    file = os.open(os.__file__, os.O_RDONLY)
    reader, _ = os.pipe()
    found = set()
    for command in [*range(2_048), 1 << 31, 5 | 1 << 32, 1031 | 1 << 32]:
        for fd in (file, reader):
            if (
                command not in ALLOWED
                and -syscall("fcntl", fd, command, 1 << 20) not in ANSWERS_OF_THE_FILTER
            ):
                found.add(command)
    return sorted(found) + let_through({"flock": ("flock", file, 1)})
