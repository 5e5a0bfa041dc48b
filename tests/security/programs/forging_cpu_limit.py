# Claims by a signal to have used up its CPU time. Expected: crashed by SIGXCPU.
import os
import signal
import time


def main(backend, user_messenger, **kwargs):
    os.kill(os.getpid(), signal.SIGXCPU)
    time.sleep(600)
