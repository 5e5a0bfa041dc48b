# Makes its pipes fail in place of waiting, and floods them. Expected: completed.
import os


def main(backend, user_messenger, **kwargs):
    for fd in (1, 2):
        os.set_blocking(fd, False)
        for _ in range(2_000):
            try:
                os.write(fd, bytes(65_536))
            except BlockingIOError:
                pass
    return "written"
