"""Runs a command of whose Landlock domains another process decides: ``gated_landlock.py SOCKET COMMAND``.

The filter asks whoever takes its listener from the unix socket (seccomp_unotify(2)).
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys
import threading
from pathlib import Path

from aerlock_executor.cell import linux
from aerlock_executor.cell.seccomp import ALLOW, Rule, assemble, machine

_ASK = 0x7FC00000  # SECCOMP_RET_USER_NOTIF
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_QUESTION_BYTES = 80
_CONTINUE = 1


class Gate:
    """Lets a command at the other end of a socket into Landlock domains, or refuses them."""

    def __init__(self, path: Path) -> None:
        self.is_open = True
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        path.chmod(0o777)
        self._server.listen()
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        """Answers until the last process under the filter has ended."""
        with self._server, self._server.accept()[0] as connection:
            _, (listener, *_), _, _ = socket.recv_fds(connection, 1, 1)
        while True:
            question = bytearray(_QUESTION_BYTES)
            try:
                fcntl.ioctl(listener, _RECEIVE, question)
                (identifier,) = struct.unpack_from("<Q", question)
                answer = (0, _CONTINUE) if self.is_open else (-errno.EPERM, 0)
                fcntl.ioctl(listener, _SEND, struct.pack("<Qqii", identifier, 0, *answer))
            except OSError:
                os.close(listener)
                return


def main() -> None:
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    program = assemble([Rule("landlock_restrict_self", _ASK)], ALLOW, machine())
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: how many instructions, and where they are.
    filter_ = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    number = machine().numbers["seccomp"]
    listener = linux.syscall(number, _SET_MODE_FILTER, _NEW_LISTENER, filter_, what="seccomp")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sys.argv[1])
        socket.send_fds(connection, [b"l"], [listener])
    os.close(listener)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
