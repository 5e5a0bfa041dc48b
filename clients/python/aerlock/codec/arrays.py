"""Numpy arrays to and from the wire: row-major, little-endian bytes, copied once."""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from aerlock.v1 import values_pb2

if TYPE_CHECKING:
    import numpy as np

# By numpy's own short names, which say the byte order as well.
_ELEMENT_TYPES: Final = {
    "|b1": values_pb2.ELEMENT_TYPE_BOOL,
    "|i1": values_pb2.ELEMENT_TYPE_INT8,
    "<i2": values_pb2.ELEMENT_TYPE_INT16,
    "<i4": values_pb2.ELEMENT_TYPE_INT32,
    "<i8": values_pb2.ELEMENT_TYPE_INT64,
    "|u1": values_pb2.ELEMENT_TYPE_UINT8,
    "<u2": values_pb2.ELEMENT_TYPE_UINT16,
    "<u4": values_pb2.ELEMENT_TYPE_UINT32,
    "<u8": values_pb2.ELEMENT_TYPE_UINT64,
    "<f2": values_pb2.ELEMENT_TYPE_FLOAT16,
    "<f4": values_pb2.ELEMENT_TYPE_FLOAT32,
    "<f8": values_pb2.ELEMENT_TYPE_FLOAT64,
    "<c8": values_pb2.ELEMENT_TYPE_COMPLEX64,
    "<c16": values_pb2.ELEMENT_TYPE_COMPLEX128,
}
_DTYPES_OF_NUMBERS: Final[dict[type, str]] = {float: "float64", int: "int64", bool: "bool"}


def is_plain(array: "np.ndarray[Any, Any]") -> bool:
    """Tells whether `array_value` holds it as it is; `aerlock.codec.types.numpy` knows the others."""
    return array.dtype.str in _ELEMENT_TYPES and (array.flags.c_contiguous or not array.flags.f_contiguous)


def write_array(array: "np.ndarray[Any, Any]", target: values_pb2.Array) -> None:
    """Writes an array that `is_plain` into ``target``."""
    _describe(array, target)
    target.data = array.tobytes()


def describe_array(array: "np.ndarray[Any, Any]") -> tuple[values_pb2.Array, memoryview]:
    """Gives the message of an array that `is_plain`, without its data, and the data.

    The data is the array's own memory where that is row-major.
    """
    import numpy as np

    description = values_pb2.Array()
    _describe(array, description)
    return description, np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def numbers_to_array(numbers: Sequence[Any]) -> "np.ndarray[Any, Any] | None":
    """Gives the array that holds the list exactly; None where its items are not numbers of one such type."""
    import numpy as np

    kinds = set(map(type, numbers))
    dtype = _DTYPES_OF_NUMBERS.get(kinds.pop()) if len(kinds) == 1 else None
    try:
        return None if dtype is None else np.array(numbers, dtype)
    except OverflowError:  # an integer of more than 64 bits
        return None


def array_to_numbers(array: "np.ndarray[Any, Any]") -> list[Any]:
    """Gives the list back; raises ValueError for an array that `numbers_to_array` does not make."""
    if array.ndim != 1 or array.dtype.name not in _DTYPES_OF_NUMBERS.values():
        raise ValueError("expected an array with one dimension, of float64, int64 or bool")
    numbers: list[Any] = array.tolist()
    return numbers


def _describe(array: "np.ndarray[Any, Any]", target: values_pb2.Array) -> None:
    target.element_type = _ELEMENT_TYPES[array.dtype.str]
    target.shape.extend(array.shape)


def read_array(array: values_pb2.Array) -> "np.ndarray[Any, Any]":
    """Reads an array that has passed `check_value`; the result is writable and owns its memory."""
    import numpy as np

    flat = np.frombuffer(array.data, dtype=_dtypes()[array.element_type])
    return flat.reshape(tuple(array.shape)).copy()


def fill_array(array: values_pb2.Array, fill: Callable[[memoryview], None]) -> "np.ndarray[Any, Any]":
    """Makes the described array, whose data ``fill`` writes straight into it."""
    import numpy as np

    made = np.empty(tuple(array.shape), _dtypes()[array.element_type])
    fill(made.reshape(-1).view(np.uint8).data)
    return made


@functools.cache
def _dtypes() -> "dict[int, np.dtype[Any]]":
    import numpy as np

    return {number: np.dtype(name) for name, number in _ELEMENT_TYPES.items()}
