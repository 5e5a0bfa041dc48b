# Recurses in C beyond its stack. Expected: crashed by SIGSEGV.
import ctypes
import sys

CALLBACK = ctypes.CFUNCTYPE(None)


@CALLBACK
def recurse():
    recurse()


def main(backend, user_messenger, **kwargs):
    sys.setrecursionlimit(1 << 30)
    recurse()
