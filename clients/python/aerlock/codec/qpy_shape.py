"""Remembers the shape of the circuit that was checked last, since circuits often come by the thousand."""

from collections.abc import Callable, Iterable
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
    """The last shape and the names that were found in it; made when a second file of its size comes."""

    def __init__(self) -> None:
        self._found: tuple[Shape, frozenset[str]] | None = None
        self._size = 0

    def find(self, data: bytes) -> frozenset[str] | None:
        """Gives the names that are known of the shape of ``data``; None for another shape."""
        found = self._found
        return found[1] if found and found[0].fits(data) else None

    def remember(
        self, data: bytes, names: frozenset[str], free: Callable[[bytes], Iterable[tuple[int, int]]]
    ) -> None:
        """Keeps the shape of ``data`` if the file before had its size; ``free`` finds its free places."""
        if len(data) == self._size <= MAX_BYTES:
            self._found = Shape(data, free(data)), names
        self._size = len(data)
