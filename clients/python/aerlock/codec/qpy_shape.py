"""Remembers the shape of the circuit that was checked last, since circuits often come by the thousand."""

from collections.abc import Iterable
from typing import Final

MAX_BYTES: Final = 1 << 18
"""Larger circuits are walked through each time."""


class Shape:
    """What two files must have in common to be equally sound: all bytes but those of numbers and names.

    ``free`` are the places, from and to, at which another file may differ.
    """

    def __init__(self, data: bytes, free: Iterable[tuple[int, int]]) -> None:
        mask = bytearray(b"\xff") * len(data)
        for start, end in free:
            mask[start:end] = bytes(end - start)
        self._size = len(data)
        self._mask = int.from_bytes(mask, "little")
        self._fixed = int.from_bytes(data, "little") & self._mask

    def fits(self, data: bytes) -> bool:
        """Tells whether a file has this shape."""
        return len(data) == self._size and int.from_bytes(data, "little") & self._mask == self._fixed


class LastShape:
    """The last shape and what was found out about it; made when a second file of its size comes."""

    def __init__(self) -> None:
        self._found: tuple[Shape, frozenset[str]] | None = None
        self._size = 0

    def find(self, data: bytes) -> frozenset[str] | None:
        """Gives what is known about the shape of ``data``; None for nothing."""
        found = self._found
        return found[1] if found and found[0].fits(data) else None

    def remember(self, data: bytes, free: Iterable[tuple[int, int]], about: frozenset[str]) -> None:
        """Keeps the shape of ``data`` if the file before had the same size."""
        if len(data) == self._size <= MAX_BYTES:
            self._found = Shape(data, free), about
        self._size = len(data)
