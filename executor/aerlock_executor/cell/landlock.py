"""Landlock: a process gives up all files but some, TCP, and what reaches processes outside of its domain."""

import ctypes
import os
from collections.abc import Iterable

from aerlock_executor.cell import linux

OLDEST_ABI = 6
"""From Linux 6.12 on: the first that keeps signals and abstract sockets within a domain."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # The same on every machine.
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_WRITE_FILE = 1 << 1
_ALL_FILE_RIGHTS = (1 << 16) - 1  # All that ABI 6 knows, from EXECUTE to IOCTL_DEV.
_ALL_NET_RIGHTS = 0b11  # BIND_TCP, CONNECT_TCP
_ALL_SCOPES = 0b11  # ABSTRACT_UNIX_SOCKET, SIGNAL


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi() -> int:
    """The version that this kernel speaks; raises OSError where it has no Landlock, or has it turned off."""
    return linux.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION, what="Landlock")


def restrict(readable: Iterable[str], devices: Iterable[str]) -> None:
    """Puts the calling thread into a domain of its own for good.

    It may read what lies below ``readable``, and read and write ``devices``; no other
    file, and no process outside of the domain. Raises OSError, also where a path is missing.
    """
    if abi() < OLDEST_ABI:
        raise OSError(f"Landlock has the ABI {abi()} here; {OLDEST_ABI} is needed (Linux 6.12)")
    attributes = _RulesetAttributes(_ALL_FILE_RIGHTS, _ALL_NET_RIGHTS, _ALL_SCOPES)
    ruleset = linux.syscall(
        _CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0, what="Landlock ruleset"
    )
    try:
        for path in readable:
            _allow(ruleset, path, _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0))  # noqa: PTH112
        for path in devices:
            _allow(ruleset, path, _READ_FILE | _WRITE_FILE)
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        linux.syscall(_RESTRICT_SELF, ruleset, 0, what="Landlock domain")
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(rights, parent)
        linux.syscall(
            _ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0, what=f"Landlock rule for {path}"
        )
    finally:
        os.close(parent)
