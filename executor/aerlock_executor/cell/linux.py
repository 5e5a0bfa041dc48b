"""The few Linux calls that Python's standard library does not offer, by ctypes."""

import ctypes
import os
from collections.abc import Callable
from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jump_true", ctypes.c_uint8),
        ("jump_false", ctypes.c_uint8),
        ("constant", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _call(function: Callable[..., int], *arguments: Any, what: str) -> int:  # noqa: ANN401
    """Calls a libc function; a negative result becomes an OSError that says what was tried."""
    result = function(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: Any, what: str) -> int:  # noqa: ANN401
    """Makes a call that libc has no function for; ``what`` begins the text of the OSError that it raises."""
    words = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    return _call(_libc.syscall, ctypes.c_long(number), *words, what=what)


def prctl(option: int, argument: int = 0) -> None:
    """Sets one property of the process or thread; raises OSError."""
    zero = ctypes.c_ulong(0)
    _call(_libc.prctl, option, ctypes.c_ulong(argument), zero, zero, zero, what=f"prctl {option}")


def unshare(flags: int) -> None:
    """Moves the process into new namespaces; raises OSError."""
    _call(_libc.unshare, flags, what=f"unshare {flags:#x}")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mounts or binds a file system; raises OSError."""
    _call(
        _libc.mount,
        source.encode(),
        target.encode(),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
        what=f"mount {kind or 'bind'} on {target}",
    )


def unmount(target: str) -> None:
    """Detaches a mount point; what was bound from it elsewhere stays. Raises OSError."""
    _call(_libc.umount2, target.encode(), MNT_DETACH, what=f"umount {target}")


def drop_capabilities() -> None:
    """Empties the bounding set, which is for the root of a namespace, and the others; raises OSError."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            if capability == 0:
                raise
            break  # The kernel knows no further capability.
    clear_capabilities()


def clear_capabilities() -> None:
    """Empties the ambient, effective, permitted and inheritable sets; raises OSError."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    sets = (_CapabilitySets * 2)()
    _call(_libc.capset, ctypes.byref(header), ctypes.byref(sets), what="capset")


def install_seccomp(filter_program: bytes) -> None:
    """Puts the calling thread under a BPF filter (``struct sock_filter`` records) for good.

    Sets no_new_privs, without which an unprivileged process may not. Raises OSError.
    """
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    count = len(filter_program) // ctypes.sizeof(_Instruction)
    instructions = (_Instruction * count).from_buffer_copy(filter_program)
    program = _Program(count, instructions)
    _call(
        _libc.prctl,
        PR_SET_SECCOMP,
        ctypes.c_ulong(_SECCOMP_MODE_FILTER),
        ctypes.byref(program),
        ctypes.c_ulong(0),
        ctypes.c_ulong(0),
        what="seccomp filter",
    )
