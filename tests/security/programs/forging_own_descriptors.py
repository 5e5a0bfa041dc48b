# Closes all that it was given and puts files and pipes of its own in their place. Expected: no result.
import os


def main(backend, user_messenger, **kwargs):
    for fd in range(5):
        try:
            os.close(fd)
        except OSError:
            pass
    reader, _ = os.pipe()
    for target in range(2, 5):
        os.dup2(os.open(f"/tmp/{target}", os.O_CREAT | os.O_RDWR), target)
    return reader
