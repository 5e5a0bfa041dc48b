# Writes bytes that are no text, and terminal commands. Expected: completed.
import os


def main(backend, user_messenger, **kwargs):
    os.write(1, b"\0\xff\xfe\x1b[2J\x1b]0;title\x07\r\n")
    print("\udc80 a lone surrogate")
    user_messenger.publish("\0\x1b[2J")
    return "written"
