# Hoards what waits for events and timers. Expected: true, descriptors bound them, and none watches others.
import resource
import select

from attack import syscall


def main(backend, user_messenger, **kwargs):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = 0
    while (timer := syscall("timerfd_create", 1, 0)) >= 0 and held < 2 * hard:
        syscall("timerfd_settime", timer, 0, each_nanosecond(), 0)
        held += 1 + (syscall("eventfd2", 0, 0) >= 0)
    try:
        select.epoll()
        return False
    except OSError:
        return 0 < held <= hard


def each_nanosecond():
    return b"".join(number.to_bytes(8, "little") for number in (0, 1, 0, 1))
