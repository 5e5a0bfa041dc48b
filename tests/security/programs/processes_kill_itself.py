# Kills itself as an operator would. Expected: crashed by signal 9.
import os
import signal


def main(backend, user_messenger, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
