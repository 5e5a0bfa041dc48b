# Calls the page of old calls at its entries and jumps between them. Expected: crashed by SIGSEGV.
import ctypes

PAGE = 0xFFFFFFFFFF600000


def main(backend, user_messenger, **kwargs):
    for entry in (0x400, 0x0, 0x800, 0x410, 0xC00):  # time, gettimeofday, getcpu, and two that are none
        ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_void_p] * 3)(PAGE + entry)(None, None, None)
