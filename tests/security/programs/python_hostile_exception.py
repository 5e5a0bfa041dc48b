# Raises an exception that cannot be shown. Expected: a program error.
class Hostile(Exception):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


def main(backend, user_messenger, **kwargs):
    raise Hostile from Hostile()
