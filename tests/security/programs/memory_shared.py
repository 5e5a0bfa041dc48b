# Takes shared anonymous memory, which counts as no one's data. Expected: true, it is bounded too.
import mmap


def main(backend, user_messenger, **kwargs):
    taken = []
    try:
        while len(taken) < 4_096:
            taken.append(mmap.mmap(-1, 16 << 20))
    except (OSError, MemoryError):
        return True
    return False
