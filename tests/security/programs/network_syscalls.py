# Makes every call of sockets on a pair that it may have. Expected: an empty list.
import socket
import struct

from attack import let_through


def main(backend, user_messenger, **kwargs):
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = struct.pack("<H", 1) + b"\0aerlock"
    fd = ends[0].fileno()
    found = []
    for number in range(2_000):
        if number not in (1, 2):
            found += let_through({f"family {number}": ("socket", number, 1, 0)})
    return found + let_through(
        {
            "unix": ("socket", 1, 1, 0),
            "inet with high bits": ("socket", 2 | 1 << 32, 1, 0),
            "connect": ("connect", fd, address, len(address)),
            "bind": ("bind", fd, address, len(address)),
            "listen": ("listen", fd, 1),
            "accept": ("accept", fd, 0, 0),
            "accept4": ("accept4", fd, 0, 0, 0),
            "sendto an address": ("sendto", fd, b"x", 1, 0, address, len(address)),
            "sendto a high address": ("sendto", fd, b"x", 1, 0, 1 << 40, len(address)),
            "sendmsg": ("sendmsg", fd, bytes(56), 0),
            "sendmmsg": ("sendmmsg", fd, bytes(64), 1, 0),
            "recvmsg": ("recvmsg", fd, bytes(56), 0),
            "recvmmsg": ("recvmmsg", fd, bytes(64), 1, 0, 0),
            "setsockopt": ("setsockopt", fd, 1, 16, struct.pack("i", 1), 4),
            "pair of netlink": ("socketpair", 16, 3, 0, bytes(8)),
        }
    )
