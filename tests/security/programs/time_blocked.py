# Waits in the kernel for what never comes, with every signal blocked. Expected: the time limit.
import ctypes
import signal

from attack import syscall


def main(backend, user_messenger, **kwargs):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    word = ctypes.c_int(0)
    syscall("futex", ctypes.byref(word), 0, 0, 0, 0, 0)
