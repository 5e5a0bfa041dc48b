"""How Python's and numpy's types stand in tagged JSON."""

# ruff: noqa: ANN401  (an object of any type may come)

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final

from aerlock.codec.decode import from_value
from aerlock.codec.encode import to_value
from aerlock.codec.hashing import check_hashes
from aerlock.codec.runtime_json import payloads
from aerlock.codec.tagged import require
from aerlock.v1 import values_pb2

Tagged = dict[str, Any]

# The names of extrapolators come as arrays of objects without dimensions.
_EXTRAPOLATOR: Final = re.compile(r"linear|exponential|double_exponential|polynomial_degree_[1-7]|fallback")


def tagged(tag: str, value: object, **more: object) -> Tagged:
    """The JSON object of one value; ``more`` is for readers of this package, others pass over it."""
    return {"__type__": tag} | {f"__{name}__": item for name, item in more.items()} | {"__value__": value}


def require_plain(value: Any) -> Any:
    """``value``, if it is numbers, text, arrays of these, and containers of such; raises TypeError otherwise.

    What makes a matrix of whatever can be made one must not get a circuit of
    thirty qubits.
    """
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif not isinstance(item, int | float | complex | str | None) and not is_numeric_array(item):
            raise TypeError(f"must hold plain values only, not {type(item).__name__}")
    return value


def write_codec_value(obj: object) -> Tagged | None:
    """Writes what only the codec knows; a callable becomes None, with a warning.

    Raises TypeError for an object that it does not know either.
    """
    value = to_value(obj, "object")
    if value.HasField("null_value"):
        return None
    return tagged("aerlock.Value", payloads.to_base64(value.SerializeToString(deterministic=True)))


def _read_codec_value(text: str) -> Any:
    return from_value(values_pb2.Value.FromString(payloads.from_base64(text)))


def _read_time(text: str) -> date:
    return datetime.fromisoformat(text) if "T" in text or " " in text else date.fromisoformat(text)


def _read_complex(parts: list[float]) -> complex:
    real, imag = parts
    return complex(real, imag)


def _read_set(items: list[Any]) -> set[Any]:
    elements = [_hashable(item) for item in require(list, items)]
    check_hashes(elements)
    found = set(elements)
    if len(found) != len(items):
        raise ValueError("an element comes twice")
    return found


def _hashable(item: Any) -> Any:
    # Only a tuple can have become a list inside a set.
    return tuple(_hashable(part) for part in item) if isinstance(item, list) else item


def _read_dict(pairs: list[list[Any]]) -> dict[str, Any]:
    """Reads a dict that would have been taken for a tagged object."""
    found = {require(str, key): item for key, item in require(list, pairs)}
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _write_array(array: Any) -> Tagged:
    if array.dtype == object:
        return tagged("ndarray", array.tolist(), shape=list(array.shape))
    return tagged("ndarray", payloads.pack(payloads.write_npy(array)))


def _refuse_mask(array: Any) -> Any:
    raise TypeError("a masked array would lose its mask: send its data and its mask")


def _read_array(value: Any, shape: list[int] | None) -> Any:
    if isinstance(value, str) and shape is None:
        return value if _EXTRAPOLATOR.fullmatch(value) else payloads.read_npy(payloads.unpack(value))
    # Only arrays of objects come as lists. The original does not write their shape.
    return _object_array(value, _shape_of(value) if shape is None else shape)


def _shape_of(nested: Any) -> list[int]:
    """The shape in which numpy would see nested lists."""
    shape: list[int] = []
    items = [nested]
    while items and all(isinstance(item, list) for item in items) and len({len(i) for i in items}) == 1:
        shape.append(len(items[0]))
        items = [part for item in items for part in item]
    return shape


def _object_array(nested: Any, shape: list[int]) -> Any:
    import numpy as np

    items = [nested]
    for length in shape:
        if any(len(require(list, item)) != length for item in items):
            raise ValueError(f"an array of objects does not have the shape {shape}")
        items = [part for item in items for part in item]
    # Filled one by one, since numpy would make arrays of elements that can be made some.
    flat = np.empty(len(items), dtype=object)
    for position, item in enumerate(items):
        flat[position] = item
    return flat.reshape(shape)


def _write_scalar(scalar: Any) -> Any:
    item = scalar.item()
    if type(item) is type(scalar):
        raise TypeError(f"{type(scalar).__name__} has more digits than JSON readers keep: send float64")
    return item


def is_numeric_array(item: Any) -> bool:
    """Whether it is a plain numpy array of booleans or numbers."""
    cls = type(item)
    return (cls.__module__, cls.__name__) == ("numpy", "ndarray") and item.dtype.kind in "biufc"


WRITERS: Final[dict[str, Callable[[Any], Any]]] = {
    "datetime.date": lambda time: tagged("datetime", time.isoformat()),
    "builtins.complex": lambda number: tagged("complex", [number.real, number.imag]),
    "builtins.set": lambda items: tagged("set", list(items)),
    "builtins.frozenset": lambda items: tagged("frozenset", list(items)),
    "builtins.bytes": lambda data: tagged("bytes", payloads.to_base64(data)),
    "numpy.ndarray": _write_array,
    "numpy.MaskedArray": _refuse_mask,
    "numpy.bool": _write_scalar,
    "numpy.number": _write_scalar,
} | {
    f"scipy.{layout}_{kind}": lambda matrix: tagged("spmatrix", payloads.write_sparse(matrix))
    for layout in ("csr", "csc", "bsr", "coo", "dia")
    for kind in ("matrix", "array")
}
"""By the top-level package and the name of a class: what JSON says for its objects."""

READERS: Final[dict[str, Callable[[Tagged], Any]]] = {
    "datetime": lambda found: _read_time(found["__value__"]),
    "complex": lambda found: _read_complex(found["__value__"]),
    "set": lambda found: _read_set(found["__value__"]),
    "frozenset": lambda found: frozenset(_read_set(found["__value__"])),
    "bytes": lambda found: payloads.from_base64(found["__value__"]),
    "dict": lambda found: _read_dict(found["__value__"]),
    "ndarray": lambda found: _read_array(found["__value__"], found.get("__shape__")),
    "spmatrix": lambda found: payloads.read_sparse(found["__value__"]),
    "to_json": lambda found: found["__value__"],
    "aerlock.Value": lambda found: _read_codec_value(found["__value__"]),
}
"""By tag: what a tagged object stands for, the values inside it being read already."""
