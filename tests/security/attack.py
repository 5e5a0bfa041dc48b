"""What hostile programs share: raw system calls, and frames written past the messenger."""

import ctypes
import os
import struct

from aerlock_executor.cell.seccomp import machine

MACHINE = machine()
ANSWERS_OF_THE_FILTER = (1, 38, 95)  # EPERM, ENOSYS, ENOTSUP

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def syscall(call, *arguments):
    """Makes a system call by name or number; returns its result, or the negative error."""
    number = MACHINE.numbers[call] if isinstance(call, str) else call
    words = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *words)
    return -ctypes.get_errno() if result == -1 else result


def let_through(calls):
    """Of ``{label: (call, *arguments)}``, what got another answer than the filter's."""
    found = []
    for label, (call, *arguments) in calls.items():
        if isinstance(call, str) and call not in MACHINE.numbers:
            continue
        result = syscall(call, *arguments)
        if -result not in ANSWERS_OF_THE_FILTER:
            found.append(f"{label}: {result}")
    return found


def succeeded(attempts):
    """Of ``{label: function}``, the labels of what raised no OSError."""
    found = []
    for label, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            continue
        found.append(label)
    return found


def write_raw(data):
    """Writes bytes to the pipe of results."""
    while data:
        data = data[os.write(4, data) :]


def write_frame(payload):
    """Writes one frame to the pipe of results."""
    write_raw(struct.pack("<I", len(payload)) + payload)
