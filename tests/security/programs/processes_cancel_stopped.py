# Stops itself and is cancelled. Expected: cancelled.
import os
import signal


def main(backend, user_messenger, **kwargs):
    user_messenger.publish("cancel me")
    os.kill(os.getpid(), signal.SIGSTOP)
