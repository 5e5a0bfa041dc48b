"""Numpy arrays to and from the wire: row-major, little-endian bytes, copied once."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from aerlock.v1 import values_pb2

if TYPE_CHECKING:
    import numpy as np

_NAMES = {
    "bool": values_pb2.ELEMENT_TYPE_BOOL,
    "int8": values_pb2.ELEMENT_TYPE_INT8,
    "int16": values_pb2.ELEMENT_TYPE_INT16,
    "int32": values_pb2.ELEMENT_TYPE_INT32,
    "int64": values_pb2.ELEMENT_TYPE_INT64,
    "uint8": values_pb2.ELEMENT_TYPE_UINT8,
    "uint16": values_pb2.ELEMENT_TYPE_UINT16,
    "uint32": values_pb2.ELEMENT_TYPE_UINT32,
    "uint64": values_pb2.ELEMENT_TYPE_UINT64,
    "float16": values_pb2.ELEMENT_TYPE_FLOAT16,
    "float32": values_pb2.ELEMENT_TYPE_FLOAT32,
    "float64": values_pb2.ELEMENT_TYPE_FLOAT64,
    "complex64": values_pb2.ELEMENT_TYPE_COMPLEX64,
    "complex128": values_pb2.ELEMENT_TYPE_COMPLEX128,
}


_DTYPES_OF_NUMBERS: Final[dict[type, str]] = {float: "float64", int: "int64", bool: "bool"}


def write_array(array: "np.ndarray[Any, Any]", target: values_pb2.Array) -> None:
    """Writes ``array`` into ``target``; raises TypeError for elements that are not numbers or booleans."""
    array = _describe(array, target)
    target.data = array.tobytes()


def describe_array(array: "np.ndarray[Any, Any]") -> tuple[values_pb2.Array, memoryview]:
    """Gives the message of ``array`` without its data, and the data; raises TypeError as `write_array`.

    The data is the array's own memory where that is row-major and little-endian.
    """
    import numpy as np

    description = values_pb2.Array()
    array = np.ascontiguousarray(_describe(array, description))
    return description, array.reshape(-1).view(np.uint8).data


def numbers_to_array(numbers: list[Any]) -> "np.ndarray[Any, Any] | None":
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


def _describe(array: "np.ndarray[Any, Any]", target: values_pb2.Array) -> "np.ndarray[Any, Any]":
    """Writes type and shape; returns the array with little-endian elements."""
    element_type = _NAMES.get(array.dtype.name)
    if element_type is None:
        raise TypeError(f"is an array of {array.dtype}, which cannot be sent: send numbers, or a list")
    target.element_type = element_type
    target.shape.extend(array.shape)
    return array.astype(array.dtype.newbyteorder("<")) if array.dtype.byteorder == ">" else array


def read_array(array: values_pb2.Array) -> "np.ndarray[Any, Any]":
    """Reads an array that has passed `check_value`; the result is writable and owns its memory."""
    import numpy as np

    flat = np.frombuffer(array.data, dtype=_element_types()[array.element_type])
    return flat.reshape(tuple(array.shape)).copy()


def fill_array(array: values_pb2.Array, fill: Callable[[memoryview], None]) -> "np.ndarray[Any, Any]":
    """Makes the described array, whose data ``fill`` writes straight into it."""
    import numpy as np

    made = np.empty(tuple(array.shape), _element_types()[array.element_type])
    fill(made.reshape(-1).view(np.uint8).data)
    return made


@functools.cache
def _element_types() -> "dict[int, np.dtype[Any]]":
    import numpy as np

    return {number: np.dtype(name).newbyteorder("<") for name, number in _NAMES.items()}
