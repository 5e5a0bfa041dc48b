# Makes a file that claims a terabyte. Expected: true, the size of a file is bounded.
import os


def main(backend, user_messenger, **kwargs):
    try:
        os.truncate(os.open("/tmp/sparse", os.O_CREAT | os.O_WRONLY), 1 << 40)
    except OSError:
        return True
    return False
