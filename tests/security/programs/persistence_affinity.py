# Changes what the scheduler knows of it, and its mask of files; run again it finds it as it was.
# Expected: an empty list, each time.
import os

from attack import let_through


def main(backend, user_messenger, **kwargs):
    found = [] if len(os.sched_getaffinity(0)) == os.cpu_count() else ["affinity"]
    found += [] if os.sched_getscheduler(0) == os.SCHED_OTHER else ["scheduler"]
    found += ["umask"] if os.umask(0o777) == 0o777 else []
    buffer = bytes(64)
    return found + let_through(
        {
            "affinity": ("sched_setaffinity", 0, 8, b"\1" + bytes(7)),
            "scheduler": ("sched_setscheduler", 0, 3, bytes(4)),
            "parameters": ("sched_setparam", 0, bytes(4)),
            "attributes": ("sched_setattr", 0, buffer, 0),
            "niceness": ("setpriority", 0, 0, 19),
            "disk": ("ioprio_set", 1, 0, 0x6007),
            "timer slack": ("prctl", 29, 1, 0, 0, 0),
            "core scheduling": ("prctl", 62, 1, 0, 0, 0),
            "memory policy": ("set_mempolicy", 1, buffer, 8),
            "personality": ("personality", 0x40000),
        }
    )
