"""Gives a circuit the same bytes whenever it is written, so that a repeated one is one blob.

Qiskit writes definitions in the order of a hash table, and up to QPY 16 under
names with a random end.
"""

import re
import struct
from itertools import pairwise
from typing import Final
from uuid import UUID

from aerlock.codec.qpy_walker import Walker

_VERSION: Final = len(b"QISKIT")
_NAME_END: Final = re.compile(rb"_([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def in_order(written: bytes) -> bytes:
    """The same circuit with its definitions sorted, and their names numbered.

    Files that `check_structure` would refuse are given back as they are.
    """
    walker = Walker(written, written[_VERSION])
    try:
        walker.walk()
    except (ValueError, struct.error, OverflowError):
        return written
    ordered = bytearray(_numbered(written, walker.defined))
    # Those within others come before them.
    for places in walker.definitions:
        parts = sorted(bytes(ordered[start:end]) for start, end in pairwise(places))
        ordered[places[0] : places[-1]] = b"".join(parts)
    return bytes(ordered)


def _numbered(written: bytes, names: set[bytes]) -> bytes:
    """Puts a number in the place of each random end, as long as that."""
    ends = {found[1] for name in names for found in _NAME_END.finditer(name) if found.end() == len(name)}
    numbers: dict[bytes, int] = {}

    def number(found: re.Match[bytes]) -> bytes:
        end = found[1]
        if end not in ends:
            return found[0]
        uuid = UUID(int=numbers.setdefault(end, len(numbers)))
        return b"_" + (str(uuid) if b"-" in end else uuid.hex).encode()

    return _NAME_END.sub(number, written) if ends else written
