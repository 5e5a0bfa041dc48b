# Fills /tmp and /dev/shm. Expected: true, both share one bound below a gigabyte.
import os


def main(backend, user_messenger, **kwargs):
    written = 0
    for number in range(4_096):
        path = f"{('/tmp', '/dev/shm')[number % 2]}/{number}"
        try:
            with open(path, "wb", buffering=0) as file:
                while written < 1 << 30:
                    size = file.write(bytes(1 << 20))
                    written += size
                    if size < 1 << 20:
                        break
        except OSError:
            if number % 2:
                break
    return 0 < written < 1 << 30 and os.statvfs("/tmp").f_bavail == os.statvfs("/dev/shm").f_bavail
