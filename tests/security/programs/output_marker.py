# Uses up its log to the byte from both streams at once, and goes on in single bytes. Expected: completed.
import os
import threading

LOG_BYTES = 1 << 20


def main(backend, user_messenger, **kwargs):
    def write(fd):
        for _ in range(LOG_BYTES // 2 // 4096):
            os.write(fd, bytes(4096))

    threads = [threading.Thread(target=write, args=(fd,)) for fd in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(5_000):
        os.write(1 + number % 2, b"x")
    return "written"
