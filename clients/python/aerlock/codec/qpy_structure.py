"""What can be told of a file of QPY, and done with it, without Qiskit's reader."""

import itertools
import struct
from collections.abc import Sequence
from typing import Final

from aerlock.codec.qpy_layout import (
    FILE,
    NEWEST_QPY_VERSION,
    OFFSET,
    OLDEST_QPY_VERSION,
    WITH_TABLE,
)
from aerlock.codec.qpy_shape import LastShape
from aerlock.codec.qpy_walker import Walker


def check_structure(data: bytes) -> frozenset[str]:
    """Refuses QPY that is not exactly one circuit, with sizes that its bytes bear out.

    Returns the names of instructions that it does not define itself: the reader
    looks them up in Qiskit. Raises ValueError.
    """
    if len(data) < FILE.size or not data.startswith(b"QISKIT"):
        raise ValueError("the circuit is not QPY: write it with qiskit.qpy.dump")
    _, version, _, _, _, count, _, kind = FILE.unpack_from(data)
    if version < OLDEST_QPY_VERSION:
        raise ValueError(f"QPY version {version} is refused: write version {OLDEST_QPY_VERSION} or newer")
    if version > NEWEST_QPY_VERSION:
        raise ValueError(
            f"the circuit is QPY {version}, and up to {NEWEST_QPY_VERSION} is read here:"
            f" upgrade Aerlock and Qiskit here, or write version {NEWEST_QPY_VERSION} there"
        )
    if count != 1 or kind != b"q":
        raise ValueError("QPY must hold exactly one circuit")
    if (names := _LAST_SHAPE.find(data)) is not None:
        return names
    walker = Walker(data, version)
    try:
        names = walker.walk()
    except (struct.error, OverflowError, UnicodeDecodeError) as error:
        raise ValueError("the circuit's QPY is cut short, or has a size that is not its own") from error
    _LAST_SHAPE.remember(data, names, lambda _: walker.free)
    return names


def join_files(files: Sequence[bytes]) -> bytes | None:
    """Makes one file of several that `check_structure` has passed; None where they differ in their fronts.

    Those of versions without a table are not joined: only their reader could tell where each ends.
    """
    front = files[0][: FILE.size]
    magic, version, *release, _, symbols, kind = FILE.unpack(front)
    if version < WITH_TABLE or any(data[: FILE.size] != front for data in files):
        return None
    bodies = [data[FILE.size + OFFSET.size :] for data in files]
    begin = FILE.size + OFFSET.size * len(files)
    places = itertools.accumulate(map(len, bodies[:-1]), initial=begin)
    table = b"".join(map(OFFSET.pack, places))
    return FILE.pack(magic, version, *release, len(files), symbols, kind) + table + b"".join(bodies)


def has_definitions(written: bytes) -> bool:
    """Tells whether a circuit that Qiskit wrote defines instructions of its own."""
    return Walker(written, written[len(b"QISKIT")]).has_definitions()


def free_places(written: bytes) -> list[tuple[int, int]]:
    """The places of names and numbers in a circuit that Qiskit wrote, from and to; for `LastShape`."""
    walker = Walker(written, written[len(b"QISKIT")])
    walker.walk()
    return walker.free


_LAST_SHAPE: Final = LastShape()
