# Writes beyond the size of a file with the signal's own effect. Expected: ended by it at that limit.
import os
import signal


def main(backend, user_messenger, **kwargs):
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    fd = os.open("/tmp/large", os.O_CREAT | os.O_WRONLY)
    os.lseek(fd, 1 << 40, os.SEEK_SET)
    os.write(fd, b"x")
