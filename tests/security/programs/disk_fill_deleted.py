# Fills files that have no name any more, and shared mappings of them. Expected: true, they count.
import mmap
import os


def main(backend, user_messenger, **kwargs):
    kept, written = [], 0
    try:
        while written < 1 << 30:
            fd = os.open("/tmp", os.O_TMPFILE | os.O_RDWR)
            kept.append(fd)
            os.ftruncate(fd, 4 << 20)
            os.posix_fallocate(fd, 0, 4 << 20)
            kept.append(mmap.mmap(fd, 4 << 20))
            written += 4 << 20
    except OSError:
        pass
    return 0 < written <= 32 << 20
