"""Numpy's scalars, and the arrays that are not plain rows of little-endian numbers."""

# ruff: noqa: ANN401  (an object of any type may come)

import math
from typing import Any, Final

from aerlock.codec.bounds import MAX_DIMENSIONS
from aerlock.codec.tagged import Tagged, TaggedType, require, require_array, require_keys

_MAX_ELEMENT_BYTES: Final = 1 << 20
"""Bytes of one element: of a text, of raw data, or of a structure."""
_LAST_CODE_POINT: Final = 0x10FFFF
_UNITS: Final = frozenset(("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "generic"))


def array_to_tagged(array: Any) -> Tagged:
    """Gives the plain form of an array that the kind `array_value` does not hold as it is.

    Raises TypeError where there is none.
    """
    dtype = array.dtype
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        return Tagged("numpy.fortran", array.T)
    if not dtype.isnative and dtype.kind not in "V":
        return Tagged("numpy.bigendian", array.astype(dtype.newbyteorder("=")))
    to_plain = _TO_PLAIN.get("structured" if dtype.fields else dtype.kind)
    if to_plain is None:
        raise TypeError(f"is an array of {dtype}, which cannot be sent: {_cure(dtype)}")
    return to_plain(array)


def _cure(dtype: Any) -> str:
    if dtype.kind in "fc":
        return "extended precision differs from machine to machine, so make it float64 or complex128"
    return "make it text with astype(str)" if dtype.kind == "T" else "send a list"


def _from_fortran(array: Any) -> Any:
    return _any_array(array).T


def _from_bigendian(array: Any) -> Any:
    return _any_array(array).astype(array.dtype.newbyteorder(">"))


def _any_array(plain: Any) -> Any:
    import numpy as np

    if type(plain) is not np.ndarray:
        raise TypeError(f"expected an array, got {type(plain).__name__}")
    return plain


def _times_to_plain(array: Any) -> Tagged:
    import numpy as np

    unit, count = np.datetime_data(array.dtype)
    name = "datetime64" if array.dtype.kind == "M" else "timedelta64"
    return Tagged(f"numpy.{name}", {"unit": unit, "count": count, "array": array.view(np.int64)})


def _times_from_plain(name: str, plain: Any) -> Any:
    require_keys(plain, "unit", "count", "array")
    unit, count = plain["unit"], require(int, plain["count"])
    if unit not in _UNITS or not 0 < count < 1 << 31:
        raise ValueError("its unit is none of numpy's")
    return require_array(plain["array"], "i").view(name if unit == "generic" else f"{name}[{count}{unit}]")


def _text_to_plain(array: Any) -> Tagged:
    return Tagged("numpy.str", _split(array, "u4"))


def _text_from_plain(points: Any) -> Any:
    if require_array(points, "u").dtype.str != "<u4" or points.ndim < 1 or not points.shape[-1]:
        raise ValueError("expected an array of uint32 whose last dimension is one text")
    if points.size and points.max() > _LAST_CODE_POINT:
        raise ValueError("a number in it is no character")
    return _joined(points, f"<U{points.shape[-1]}")


def _bytes_to_plain(array: Any) -> Tagged:
    return Tagged("numpy.bytes" if array.dtype.kind == "S" else "numpy.void", _split(array, "u1"))


def _bytes_from_plain(kind: str, raw: Any) -> Any:
    if require_array(raw, "u").dtype.str != "|u1" or raw.ndim < 1 or not raw.shape[-1]:
        raise ValueError("expected an array of uint8 whose last dimension is one element")
    return _joined(raw, f"{kind}{raw.shape[-1]}")


def _split(array: Any, part: str) -> Any:
    """Shows the parts of each element in a new last dimension."""
    import numpy as np

    if not array.dtype.itemsize:
        raise TypeError("is an array of elements without bytes, which cannot be sent")
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(part).reshape(*array.shape, -1) if flat.size else _empty(array, part)


def _empty(array: Any, part: str) -> Any:
    import numpy as np

    dtype = np.dtype(part)
    return np.zeros((*array.shape, array.dtype.itemsize // dtype.itemsize), dtype)


def _joined(parts: Any, dtype: str) -> Any:
    """Undoes `_split`."""
    import numpy as np

    if not parts.size:
        return np.zeros(parts.shape[:-1], dtype)
    return parts.reshape(-1).view(dtype).reshape(parts.shape[:-1])


def _objects_to_plain(array: Any) -> Tagged:
    return Tagged("numpy.object", {"shape": list(array.shape), "items": list(array.flat)})


def _objects_from_plain(plain: Any) -> Any:
    import numpy as np

    require_keys(plain, "shape", "items")
    items = require(list, plain["items"])
    array = np.empty(_shape_of(plain["shape"], items), dtype=object)
    flat = array.reshape(-1)
    for position, item in enumerate(items):
        flat[position] = item
    return array


def _shape_of(plain: Any, items: list[Any]) -> tuple[int, ...]:
    """Checks a shape against the items that are to fill it."""
    shape = tuple(require(int, length) for length in require(list, plain))
    # Numpy computes strides from the lengths that are not zero, in 64 bits.
    addressed = math.prod(length or 1 for length in shape)
    if len(shape) > MAX_DIMENSIONS or min(shape, default=0) < 0 or addressed >= 1 << 56:
        raise ValueError(f"the shape {list(shape)[:8]} cannot be")
    if math.prod(shape) != len(items):
        raise ValueError(f"the shape {list(shape)} does not fit {len(items):,} items")
    return shape


def _structured_to_plain(array: Any) -> Tagged:
    dtype = array.dtype
    if dtype.type.__name__ != "void":
        raise TypeError(
            "is an array of records, which cannot be sent: send numpy.array(x.tolist(), x.dtype.descr)"
        )
    fields = [
        {"name": name, "offset": dtype.fields[name][1], "array": array[name]}
        | ({"title": dtype.fields[name][2]} if len(dtype.fields[name]) > 2 else {})
        for name in dtype.names
    ]
    return Tagged(
        "numpy.structured",
        {
            "shape": list(array.shape),
            "item_bytes": dtype.itemsize,
            "aligned": dtype.isalignedstruct,
            "fields": fields,
        },
    )


def _structured_from_plain(plain: Any) -> Any:
    import numpy as np

    require_keys(plain, "shape", "item_bytes", "aligned", "fields")
    fields = [
        require_keys(field, "name", "offset", "array", optional=("title",))
        for field in require(list, plain["fields"])
    ]
    shape = tuple(require(int, length) for length in require(list, plain["shape"]))
    for field in fields:
        if _any_array(field["array"]).shape[: len(shape)] != shape:
            raise ValueError("its fields do not have its shape")
    item_bytes = require(int, plain["item_bytes"])
    if not fields or item_bytes > _MAX_ELEMENT_BYTES:
        raise ValueError("its elements have no fields, or too many bytes")
    if math.prod(shape) * item_bytes > _most_bytes(fields):
        raise ValueError("its elements are larger than their fields by far")
    array = np.zeros(shape, _structure(fields, len(shape), item_bytes, require(bool, plain["aligned"])))
    for field in fields:
        array[field["name"]] = field["array"]
    return array


def _most_bytes(fields: list[dict[str, Any]]) -> int:
    """Padding may take some room, but not without bounds."""
    stored: int = sum(field["array"].nbytes for field in fields)
    return 64 * stored + 4_096


def _structure(fields: list[dict[str, Any]], dimensions: int, item_bytes: int, aligned: bool) -> Any:
    import numpy as np

    arrays = [field["array"] for field in fields]
    description = {
        "names": [require(str, field["name"]) for field in fields],
        "formats": [(array.dtype, array.shape[dimensions:]) for array in arrays],
        "offsets": [require(int, field["offset"]) for field in fields],
        "itemsize": item_bytes,
    }
    if any("title" in field for field in fields):
        description["titles"] = [field.get("title") for field in fields]
    return np.dtype(description, align=aligned)  # type: ignore[call-overload]


_TO_PLAIN: Final = {
    "M": _times_to_plain,
    "m": _times_to_plain,
    "U": _text_to_plain,
    "S": _bytes_to_plain,
    "V": _bytes_to_plain,
    "O": _objects_to_plain,
    "structured": _structured_to_plain,
}
"""What makes the plain form, by kind of element."""


def _scalar_to_plain(scalar: Any) -> object:
    import numpy as np

    return np.asarray(scalar)


def _scalar_from_plain(array: Any) -> object:
    if _any_array(array).shape != ():
        raise ValueError("a scalar must be an array without dimensions")
    return array[()]


def _long_from_plain(name: str, number: Any) -> object:
    import numpy as np

    return getattr(np, name)(require(int, number))


_SCALARS: Final = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128 "
    "datetime64 timedelta64 str_ bytes_ void longdouble clongdouble"
)

TYPES: Final = (
    TaggedType(
        "numpy.scalar", tuple(f"numpy.{n}" for n in _SCALARS.split()), _scalar_to_plain, _scalar_from_plain
    ),
    # C's long long is a type of its own in numpy, though it has the 64 bits of another one.
    TaggedType("numpy.longlong", ("numpy.longlong",), int, lambda plain: _long_from_plain("longlong", plain)),
    TaggedType(
        "numpy.ulonglong", ("numpy.ulonglong",), int, lambda plain: _long_from_plain("ulonglong", plain)
    ),
    # The encoder makes these of an array that needs them.
    TaggedType("numpy.fortran", (), array_to_tagged, _from_fortran),
    TaggedType("numpy.bigendian", (), array_to_tagged, _from_bigendian),
    TaggedType("numpy.datetime64", (), array_to_tagged, lambda plain: _times_from_plain("M8", plain)),
    TaggedType("numpy.timedelta64", (), array_to_tagged, lambda plain: _times_from_plain("m8", plain)),
    TaggedType("numpy.str", (), array_to_tagged, _text_from_plain),
    TaggedType("numpy.bytes", (), array_to_tagged, lambda plain: _bytes_from_plain("S", plain)),
    TaggedType("numpy.void", (), array_to_tagged, lambda plain: _bytes_from_plain("V", plain)),
    TaggedType("numpy.object", (), array_to_tagged, _objects_from_plain),
    TaggedType("numpy.structured", (), array_to_tagged, _structured_from_plain),
)
