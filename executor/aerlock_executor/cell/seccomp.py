"""Assembles seccomp filters: from rules on syscall names and arguments to BPF bytes."""

import json
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000

_X32_BIT = 0x40000000

# Offsets into struct seccomp_data; both machines are little-endian.
_NUMBER_OFFSET = 0
_ARCHITECTURE_OFFSET = 4
_ARGUMENTS_OFFSET = 16

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
_JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_GREATER = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_JUMP_NOT_LESS = 0x35  # BPF_JMP | BPF_JGE | BPF_K

_INSTRUCTION = struct.Struct("<HBBI")


def fails(errno: int) -> int:
    """The action that makes a syscall fail with ``errno``."""
    return _ERRNO | errno


@dataclass(frozen=True)
class Check:
    """Holds when the low 32 bits of an argument, under ``mask``, are one of ``values``.

    The kernel takes most small arguments as 32-bit integers and drops what is
    above; comparing all 64 bits would let ``TIOCSTI | 1 << 32`` through.
    """

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF


@dataclass(frozen=True)
class Pointer:
    """Holds when all 64 bits of an argument are zero."""

    argument: int


@dataclass(frozen=True)
class Rule:
    """What happens to one syscall: ``action`` where every check holds, else ``otherwise``."""

    name: str
    action: int = ALLOW
    checks: tuple[Check | Pointer, ...] = ()
    otherwise: int = ALLOW


@dataclass(frozen=True)
class Machine:
    """A machine's audit architecture and its syscall numbers by name."""

    name: str
    audit_architecture: int
    numbers: dict[str, int]

    @property
    def highest_number(self) -> int:
        """The newest syscall that the table knows."""
        return max(self.numbers.values())


@cache
def machine(name: str | None = None) -> Machine:
    """The table of one machine (``x86_64`` or ``aarch64``); of this one by default.

    Raises LookupError on a machine without a table: no filter, no service.
    """
    name = name or os.uname().machine
    tables = json.loads(Path(__file__).with_name("syscalls.json").read_text())
    if name not in tables:
        raise LookupError(f"no syscall table for {name}; Aerlock runs on {', '.join(sorted(tables))}")
    table = tables[name]
    return Machine(name, int(table["audit_architecture"], 16), table["numbers"])


def assemble(rules: Iterable[Rule], default: int, target: Machine, above_highest: int | None = None) -> bytes:
    """The filter as BPF bytes: the first rule for a syscall decides, else ``default``.

    A call through a foreign architecture or x32 kills the process. Names that
    ``target`` does not have are skipped. ``above_highest`` is the action for
    syscalls newer than the table.
    """
    code = [
        _step(_LOAD, _ARCHITECTURE_OFFSET),
        _step(_JUMP_EQUAL, target.audit_architecture, 1, 0),
        _step(_RETURN, KILL_PROCESS),
        _step(_LOAD, _NUMBER_OFFSET),
    ]
    if target.name == "x86_64":
        code += [_step(_JUMP_NOT_LESS, _X32_BIT, 0, 1), _step(_RETURN, KILL_PROCESS)]
    if above_highest is not None:
        code += [_step(_JUMP_GREATER, target.highest_number, 0, 1), _step(_RETURN, above_highest)]
    for rule in rules:
        if rule.name in target.numbers:
            body = _rule_body(rule)
            code += [_step(_JUMP_EQUAL, target.numbers[rule.name], 0, len(body)), *body]
    code.append(_step(_RETURN, default))
    return b"".join(code)


def _step(operation: int, constant: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(operation, jump_true, jump_false, constant)


def _rule_body(rule: Rule) -> list[bytes]:
    """Instructions that always return; the accumulator may be spoilt."""
    body: list[bytes] = []
    for check in rule.checks:
        body += _pointer_check(check, rule) if isinstance(check, Pointer) else _value_check(check, rule)
    return [*body, _step(_RETURN, rule.action)]


def _value_check(check: Check, rule: Rule) -> list[bytes]:
    compares = [
        _step(_JUMP_EQUAL, value, len(check.values) - index, 0) for index, value in enumerate(check.values)
    ]
    return [
        _step(_LOAD, _ARGUMENTS_OFFSET + 8 * check.argument),
        _step(_AND, check.mask),
        *compares,
        _step(_RETURN, rule.otherwise),
    ]


def _pointer_check(check: Pointer, rule: Rule) -> list[bytes]:
    offset = _ARGUMENTS_OFFSET + 8 * check.argument
    return [
        _step(_LOAD, offset),
        _step(_JUMP_EQUAL, 0, 1, 0),
        _step(_RETURN, rule.otherwise),
        _step(_LOAD, offset + 4),
        _step(_JUMP_EQUAL, 0, 1, 0),
        _step(_RETURN, rule.otherwise),
    ]
