# Writes a final result and crashes. Expected: crashed by SIGSEGV, and no final result.
import os
import signal

from attack import write_frame


def main(backend, user_messenger, **kwargs):
    write_frame(bytes.fromhex("1a021805"))
    os.kill(os.getpid(), signal.SIGSEGV)
