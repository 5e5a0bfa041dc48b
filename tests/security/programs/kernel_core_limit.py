# Asks for the host's handler of core dumps by another limit than 1. Expected: an empty list.
from attack import let_through

CORE = 4


def main(backend, user_messenger, **kwargs):
    unlimited = b"\xff" * 16
    none = bytes(16)
    return let_through(
        {
            "setrlimit": ("setrlimit", CORE, none),
            "prlimit64": ("prlimit64", 0, CORE, none, 0),
            "prlimit64 with high bits": ("prlimit64", 0, CORE | 1 << 32, none, 0),
            "unlimited": ("prlimit64", 0, CORE, unlimited, 0),
        }
    )
