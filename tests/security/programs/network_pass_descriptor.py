# Sends a descriptor over a socket pair: descriptors in flight are counted over all jobs. Expected: false.
import os
import socket


def main(backend, user_messenger, **kwargs):
    one, two = socket.socketpair()
    one.send(b"a plain message still works")
    assert two.recv(64) == b"a plain message still works"
    try:
        socket.send_fds(one, [b"x"], [os.open("/tmp", os.O_RDONLY)])
    except OSError:
        return False
    return True
