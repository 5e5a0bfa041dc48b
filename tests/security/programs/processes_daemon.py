# Becomes a daemon by every step of the book: session, group, two forks, no parent. Expected: an empty list.
import os

from attack import ANSWERS_OF_THE_FILTER, syscall

FORK = 17  # SIGCHLD alone
CLONE_PARENT = 0x8000


def main(backend, user_messenger, **kwargs):
    os.chdir("/")
    os.umask(0)
    found = []
    for name, call in {
        "death signal": ("prctl", 1, 0, 0, 0, 0),
        "subreaper": ("prctl", 36, 1, 0, 0, 0),
        "session": ("setsid",),
        "group": ("setpgid", 0, 0),
        "group of init": ("setpgid", 0, 1),
        "fork": ("fork",),
        "vfork": ("vfork",),
        "clone": ("clone", FORK, 0, 0, 0, 0),
        "sibling": ("clone", FORK | CLONE_PARENT, 0, 0, 0, 0),
    }.items():
        result = syscall(*call)
        if result == 0 and "fork" in name:
            os._exit(3)
        if -result not in ANSWERS_OF_THE_FILTER:
            found.append(name)
    return found
