# Ends its first thread alone, so that the process is a zombie that runs on. Expected: the time limit.
import threading
import time

from attack import syscall


def main(backend, user_messenger, **kwargs):
    threading.Thread(target=time.sleep, args=(600,)).start()
    syscall("exit", 0)
