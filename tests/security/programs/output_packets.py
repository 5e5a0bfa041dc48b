# Turns its pipes into packets of one byte, appends, and asks for signals of them. Expected: completed.
import fcntl
import os
import struct


def main(backend, user_messenger, **kwargs):
    for fd in (1, 2, 4):
        for flags in (os.O_DIRECT, os.O_DIRECT | os.O_APPEND | os.O_ASYNC | os.O_NONBLOCK, os.O_DIRECT):
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)
        payload = bytes.fromhex("12021807")  # CellFrame{interim_result: 7}
        for byte in (struct.pack("<I", len(payload)) + payload) * 500:
            os.write(fd, bytes([byte]))
        os.write(fd, b"")
        os.writev(fd, [])
    return "published"
