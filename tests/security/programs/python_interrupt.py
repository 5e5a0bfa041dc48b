# Raises KeyboardInterrupt, as if someone had asked for it. Expected: a program error.
def main(backend, user_messenger, **kwargs):
    raise KeyboardInterrupt
