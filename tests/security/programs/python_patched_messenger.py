# Patches the messenger's class and the frame writer. Expected: completed; it cuts only itself off.
import sys


def main(backend, user_messenger, **kwargs):
    type(user_messenger).publish = lambda *args, **kwargs: None
    sys.modules["aerlock_executor.cell.frames"].MAX_FRAME_BYTES = 1 << 40
    user_messenger.publish("lost")
    return "returned"
