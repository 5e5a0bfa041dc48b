# Marks the times of devices, which are inodes of the host. Expected: an empty list.
import os


def main(backend, user_messenger, **kwargs):
    marked = []
    for name in sorted(os.listdir("/dev")):
        path = f"/dev/{name}"
        if os.path.isdir(path):
            continue
        try:
            os.utime(path, (1, 1))
        except OSError:
            continue
        marked.append(path)
    return marked
