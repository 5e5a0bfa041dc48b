# Takes hold of every process id by descriptor, of itself by its own sockets too. Expected: an empty list.
import os
import signal
import socket

from attack import let_through, syscall

SO_PEERPIDFD = 77
P_PIDFD = 3


def main(backend, user_messenger, **kwargs):
    found = []
    for pid in range(-10, 40_000):
        found += [f"pidfd of {pid}"] if syscall("pidfd_open", pid, 0) >= 0 else []
    for pid in (1, os.getpid()):
        descriptor = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY)
        for name in ("pidfd_send_signal", "pidfd_getfd", "process_mrelease", "setns"):
            found += let_through({f"{name} {pid}": (name, descriptor, signal.SIGKILL, 0, 0)})
        try:
            os.waitid(P_PIDFD, descriptor, os.WEXITED | os.WNOHANG)
            found.append(f"waited for {pid}")
        except OSError:
            pass
    one, _ = socket.socketpair()
    try:
        found.append(f"its own as {one.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)}")
    except OSError:
        pass
    return found
