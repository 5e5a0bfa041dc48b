# Reaches for sockets by io_uring, descriptors of others and namespaces. Expected: nothing.
import os

from attack import let_through


def main(backend, user_messenger, **kwargs):
    parameters = bytearray(120)
    found = let_through(
        {
            "io_uring_setup": ("io_uring_setup", 8, bytes(parameters)),
            "io_uring_enter": ("io_uring_enter", 0, 1, 1, 0, 0, 0),
            "io_uring_register": ("io_uring_register", 0, 0, 0, 0),
            "io_setup": ("io_setup", 8, bytes(8)),
            "pidfd_open": ("pidfd_open", 1, 0),
            "pidfd_getfd": ("pidfd_getfd", 0, 0, 0),
            "setns": ("setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0x40000000),
            "unshare": ("unshare", 0x40000000),
        }
    )
    found += [name for name in ("/proc/net", "/proc/self/net/unix", "/sys/class/net") if readable(name)]
    return found


def readable(path):
    try:
        return bool(os.listdir(path) if os.path.isdir(path) else len(open(path).readlines()) > 1)
    except OSError:
        return False
