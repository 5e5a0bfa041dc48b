# Prints one line without end, in pieces. Expected: completed, the log is cut.
import sys


def main(backend, user_messenger, **kwargs):
    for _ in range(400):
        sys.stdout.write("x" * 16_384)
    return "written"
