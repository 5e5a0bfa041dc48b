# Hoards what waits for events: descriptors of timers and counters, waited for over and over. Expected: true.
import resource
import select

from attack import syscall

AT_A_TIME = 15


def main(backend, user_messenger, **kwargs):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    hoard = []
    while (timer := syscall("timerfd_create", 1, 0)) >= 0:
        syscall("timerfd_settime", timer, 0, each_nanosecond(), 0)
        hoard.append(timer)
        if (counter := syscall("eventfd2", 0, 0)) >= 0:
            hoard.append(counter)
    for first in range(len(hoard)):
        poll = select.poll()
        for fd in hoard[first : first + AT_A_TIME]:
            poll.register(fd, select.POLLIN)
        poll.poll(0)
    return 0 < len(hoard) <= hard


def each_nanosecond():
    return b"".join(number.to_bytes(8, "little") for number in (0, 1, 0, 1))
