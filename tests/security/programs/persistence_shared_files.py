# Marks the files that all jobs read: bytes, caches, times, locks, attributes. Expected: an empty list.
import mmap
import os
import sys

from attack import let_through, succeeded


def main(backend, user_messenger, **kwargs):
    path = os.__file__
    fd = os.open(path, os.O_RDONLY)
    cached = os.path.join(os.path.dirname(path), "__pycache__")
    before = os.stat(path)
    found = succeeded(
        {
            "shared mapping": lambda: mmap.mmap(fd, 4096, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE),
            "times": lambda: os.utime(path, (1, 1)),
            "times of a descriptor": lambda: os.utime(fd, (1, 1)),
            "cache": lambda: open(os.path.join(cached, "left.pyc"), "wb").close(),
            "attribute": lambda: os.setxattr(path, "user.mark", b"x"),
            "attribute of a descriptor": lambda: os.setxattr(fd, "user.mark", b"x"),
            "lock": lambda: os.lockf(fd, os.F_LOCK, 0),
            "mode": lambda: os.fchmod(fd, 0o777),
            "owner": lambda: os.fchown(fd, 1000, 1000),
            "removed": lambda: os.unlink(path),
            "beside the interpreter": lambda: open(os.path.join(sys.prefix, "left"), "w").close(),
        }
    )
    os.read(fd, 100)
    if os.stat(path).st_atime_ns != before.st_atime_ns:
        found.append("time of access")
    reader, writer = os.pipe()
    return found + let_through(
        {
            "splice": ("splice", fd, 0, writer, 0, 1, 0),
            "vmsplice": ("vmsplice", writer, bytes(16), 1, 0),
            "tee": ("tee", reader, writer, 1, 0),
            "add_key": ("add_key", b"user", b"mark", b"x", 1, -3),
            "request_key": ("request_key", b"user", b"mark", 0, -3),
            "keyctl": ("keyctl", 0, -3, 1, 0, 0),
            "mq_open": ("mq_open", b"mark", 0o102, 0o600, 0),
            "shmget": ("shmget", 4711, 4096, 0o1666),
            "msgget": ("msgget", 4711, 0o1666),
            "semget": ("semget", 4711, 1, 0o1666),
        }
    )
