# Raises a group of groups, too deep for any walk, with notes that fail. Expected: a program error.
class Notes(list):
    def __iter__(self):
        raise KeyboardInterrupt


def main(backend, user_messenger, **kwargs):
    error = ValueError("x" * 10_000_000)
    for _ in range(50_000):
        error = ExceptionGroup("y" * 10, [error])
    error.__notes__ = Notes()
    error.__cause__ = error
    raise error
