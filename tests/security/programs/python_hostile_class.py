# Raises an exception whose class lies about all that can be asked of it. Expected: a program error.
class Meta(type):
    def __instancecheck__(cls, other):
        raise SystemExit(0)

    __subclasscheck__ = __instancecheck__

    def __getattribute__(cls, name):
        raise MemoryError

    def __repr__(cls):
        raise SystemExit(0)


class Hostile(BaseException, metaclass=Meta):
    def __getattribute__(self, name):
        raise SystemExit(0)

    def __str__(self):
        raise SystemExit(0)

    __repr__ = __str__


def main(backend, user_messenger, **kwargs):
    raise Hostile
