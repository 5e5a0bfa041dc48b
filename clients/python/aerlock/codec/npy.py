"""Checks an .npy file, of which numpy reserves as much memory as it announces."""

import io
import math
from typing import Final

_MAX_HEADER_BYTES: Final = 1 << 10


def check_npy(data: bytes, start: int = 0) -> int:
    """Returns the length of the .npy file that starts there.

    It must be of the first version, which is what numpy writes, and hold no objects. Raises ValueError.
    """
    from numpy.lib import format as npy

    file = io.BytesIO(data[start : start + _MAX_HEADER_BYTES])
    try:
        version = npy.read_magic(file)
        shape, _, dtype = npy.read_array_header_1_0(file)
    except Exception as error:  # numpy reads the header as Python
        raise ValueError(f"an array is not in numpy's format: {error}") from error
    length = file.tell() + dtype.itemsize * math.prod(shape)
    if version != (1, 0) or min(shape, default=0) < 0 or dtype.hasobject or start + length > len(data):
        raise ValueError("an array does not have the elements that it announces")
    return length
