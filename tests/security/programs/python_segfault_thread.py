# Crashes in a thread while main waits. Expected: crashed by SIGSEGV.
import ctypes
import threading
import time


def main(backend, user_messenger, **kwargs):
    threading.Thread(target=ctypes.string_at, args=(0,)).start()
    time.sleep(600)
