# Stops itself, so that no signal but SIGKILL reaches it. Expected: the time limit ends it.
import os
import signal


def main(backend, user_messenger, **kwargs):
    user_messenger.publish("stopping")
    os.kill(os.getpid(), signal.SIGSTOP)
