# Sends and asks for all that is special about sockets: urgent data, peers, options. Expected: an empty list.
import socket

from attack import ANSWERS_OF_THE_FILTER, syscall

OPTIONS = {3, 4, 38, 39}  # type, error, protocol and domain, which Python asks for
FLAGS = {0x2, 0x40, 0x100, 0x4000}  # to peek, not to wait, to wait for all, no signal


def main(backend, user_messenger, **kwargs):
    found = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        one, two = socket.socketpair(socket.AF_UNIX, kind)
        one.send(b"waits")
        fds = (one.fileno(), two.fileno())
        for bit in range(32):
            if 1 << bit not in FLAGS:
                found += [f"send {1 << bit:#x}"] if passes("sendto", fds[0], b"x", 1, 1 << bit, 0, 0) else []
                found += (
                    [f"receive {1 << bit:#x}"] if passes("recvfrom", fds[1], 0, 1, 1 << bit, 0, 0) else []
                )
        for level in (*range(300), 1 | 1 << 32):
            for option in (*range(128), 77 | 1 << 32):
                if option & 0xFFFFFFFF not in OPTIONS and passes("getsockopt", fds[0], level, option, 0, 0):
                    found.append(f"option {level} {option}")
    return found[:20]


def passes(*call):
    return -syscall(*call) not in ANSWERS_OF_THE_FILTER
