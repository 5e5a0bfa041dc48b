# Recurses without end. Expected: a program error, RecursionError.
def main(backend, user_messenger, **kwargs):
    return main(backend, user_messenger)
