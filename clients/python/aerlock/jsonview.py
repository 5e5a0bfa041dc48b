"""The JSON view of a Value, for schema checks, people and ``--json``: one way, without numpy or Qiskit.

- null, booleans, integers of any size, numbers, strings, lists and maps are themselves; NaN and the
  infinities, which JSON lacks, are the strings "NaN", "Infinity" and "-Infinity";
- a complex number is ``{"__type__": "complex", "__value__": [re, im]}``;
- an array of up to 10,000 elements in up to 20,000 lists is nested lists; a larger one is
  ``{"__type__": "ndarray"}``, and a blob is ``{"__type__": "blob"}``: what they would be as lists or
  maps is not looked at (`is_opaque`);
- a moment in time is its RFC 3339 string;
- circuits, bytes and tagged values are ``{"__type__": name}`` without payload, except the tags around
  what a schema and a person take for plain data (`SEE_THROUGH_TAGS`,
  `SHOWN_ENTRIES`): a tuple is the list it holds, Counts are a map from bits, a numpy scalar is its number;
- a dict with other keys than strings is an object where all keys are numbers, strings, booleans or None
  and stay distinct as JSON writes them, as Python's json does; else it is a list of pairs.

A Value must have passed `aerlock.codec.check_value`.
"""

import functools
import itertools
import json
import math
import operator
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, cast

from aerlock.v1 import values_pb2

MAX_ARRAY_ELEMENTS: Final = 10_000
"""Arrays with more elements are shown without them."""
MAX_ARRAY_LISTS: Final = 20_000
"""So are arrays that are more lists: each dimension of length 1 is a list more for every element."""
MAX_EMPTY_LISTS: Final = 16
"""Arrays without elements that are more empty lists are shown without these."""

SEE_THROUGH_TAGS: Final = frozenset(
    {
        "python.list",
        "python.tuple",
        "python.set",
        "python.frozenset",
        "python.OrderedDict",
        "python.Counter",
        "python.date",
        "python.time",
        "python.Decimal",
        "python.UUID",
        "numpy.scalar",
        "numpy.longlong",
        "numpy.ulonglong",
        "numpy.bigendian",
    }
)
SHOWN_ENTRIES: Final = {
    "python.defaultdict": "items",
    "python.deque": "items",
    "qiskit.Counts": "counts",
    "qiskit.ProbDistribution": "probabilities",
    "qiskit.QuasiDistribution": "probabilities",
}
"""The tags around a map of which one entry is what a schema and a person take for the whole."""

_OPAQUE: Final = ("blob", "ndarray")
# Of UTC, whose letter is put behind it.
_EPOCH: Final = datetime(1970, 1, 1)

Json = None | bool | int | float | str | list[Any] | dict[str, Any]


def to_json(value: values_pb2.Value) -> str:
    """Writes the view as JSON text, in one line."""
    return json.dumps(to_python(value), ensure_ascii=False, allow_nan=False)


def to_python(value: values_pb2.Value) -> Json:
    """Gives the view as the objects that ``json.loads`` would make of its text."""
    kind = value.WhichOneof("kind")
    if kind is None:
        raise ValueError("a Value has no kind set")
    content = getattr(value, kind)
    view = _VIEWS.get(kind)
    return content if view is None else view(content)


def map_to_python(entries: values_pb2.MapValue) -> dict[str, Json]:
    """Gives the view of a map, such as a job's inputs."""
    return {entry.key: to_python(entry.value) for entry in entries.entries}


def is_opaque(view: Json) -> bool:
    """Whether the view stands for a blob or a large array, of which nothing but their presence is known."""
    return isinstance(view, dict) and len(view) == 1 and view.get("__type__") in _OPAQUE


def _view_of_float(number: float) -> Json:
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _view_of_complex(number: complex) -> Json:
    return {"__type__": "complex", "__value__": [_view_of_float(number.real), _view_of_float(number.imag)]}


def _view_of_list(content: values_pb2.ListValue) -> Json:
    return [to_python(item) for item in content.values]


def _view_of_timestamp(content: Any) -> Json:  # noqa: ANN401
    return (_EPOCH + timedelta(0, content.seconds, content.nanos // 1_000)).isoformat() + "Z"


def _view_of_tagged(content: values_pb2.TaggedValue) -> Json:
    if content.type in SEE_THROUGH_TAGS:
        return to_python(content.value)
    if content.type in SHOWN_ENTRIES and (shown := _entry(content.value, SHOWN_ENTRIES[content.type])):
        return to_python(shown)
    view = _TAG_VIEWS.get(content.type, _view_of_unknown)
    return view(content)


def _entry(value: values_pb2.Value, key: str) -> values_pb2.Value | None:
    """What a map has under a key."""
    return next((entry.value for entry in value.map_value.entries if entry.key == key), None)


def _view_of_unknown(content: values_pb2.TaggedValue) -> Json:
    return {"__type__": content.type}


def _view_of_datetime(content: values_pb2.TaggedValue) -> Json:
    """The ISO string, which stands in a map where a time zone's name or a fold is beside it."""
    return to_python(_entry(content.value, "iso") or content.value)


def _view_of_fortran(content: values_pb2.TaggedValue) -> Json:
    """The array with its dimensions the other way around."""
    array = content.value.array_value
    shape = list(reversed(array.shape))
    if not shape or 0 in shape or not _is_shown(shape):
        return _view_of_unknown(content)
    elements = _elements(array)

    def nest(at: int, step: int, lengths: list[int]) -> Json:
        if not lengths:
            return elements[at]
        return [nest(at + i * step, step * lengths[0], lengths[1:]) for i in range(lengths[0])]

    return nest(0, 1, shape)


def _view_of_texts(content: values_pb2.TaggedValue) -> Json:
    """The texts, which are rows of code points."""
    view = to_python(content.value)
    try:
        return _texts(view) if content.value.HasField("array_value") else _view_of_unknown(content)
    except (TypeError, ValueError, OverflowError, LookupError):
        return _view_of_unknown(content)


def _texts(points: Any) -> Json:  # noqa: ANN401
    if points and isinstance(points[0], list):
        return [_texts(row) for row in points]
    text = "".join(map(chr, points)).rstrip("\0")
    # Half of a surrogate pair is no text in JSON.
    text.encode()
    return text


def _view_of_pairs(pairs: values_pb2.Value) -> Json:
    view = to_python(pairs)
    try:
        shown = {_json_key(key): item for key, item in cast("list[Any]", view)}
    except (TypeError, ValueError):
        return view
    return shown if len(shown) == len(cast("list[Any]", view)) else view


def _json_key(key: Json) -> str:
    if isinstance(key, list | dict):
        raise TypeError("not a key of a JSON object")
    return key if isinstance(key, str) else json.dumps(key)


def _view_of_array(array: values_pb2.Array) -> Json:
    shape = list(array.shape)
    if 0 in shape:
        return _view_of_empty(shape[: shape.index(0)])
    if not _is_shown(shape):
        return {"__type__": "ndarray"}
    elements = _elements(array)
    for length in reversed(shape[1:]):
        elements = [elements[start : start + length] for start in range(0, len(elements), length)]
    return elements if shape else elements[0]


def _is_shown(shape: list[int]) -> bool:
    """Tells whether an array with elements is shown with them."""
    lists = sum(itertools.accumulate(shape[:-1], operator.mul, initial=1))
    return math.prod(shape) <= MAX_ARRAY_ELEMENTS and lists <= MAX_ARRAY_LISTS


def _view_of_empty(shape: list[int]) -> Json:
    """Empty lists in the given shape."""
    # They take memory here and no byte in a message.
    if math.prod(shape) > MAX_EMPTY_LISTS:
        return {"__type__": "ndarray"}
    return [_view_of_empty(shape[1:]) for _ in range(shape[0])] if shape else []


def _elements(array: values_pb2.Array) -> list[Json]:
    letter, is_complex = _FORMATS[array.element_type]
    numbers = [number for (number,) in struct.iter_unpack(f"<{letter}", array.data)]
    if is_complex:
        return [_view_of_complex(complex(*pair)) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
    return [_view_of_float(number) for number in numbers] if letter in "efd" else numbers


_FORMATS: Final = {
    values_pb2.ELEMENT_TYPE_BOOL: ("?", False),
    values_pb2.ELEMENT_TYPE_INT8: ("b", False),
    values_pb2.ELEMENT_TYPE_INT16: ("h", False),
    values_pb2.ELEMENT_TYPE_INT32: ("i", False),
    values_pb2.ELEMENT_TYPE_INT64: ("q", False),
    values_pb2.ELEMENT_TYPE_UINT8: ("B", False),
    values_pb2.ELEMENT_TYPE_UINT16: ("H", False),
    values_pb2.ELEMENT_TYPE_UINT32: ("I", False),
    values_pb2.ELEMENT_TYPE_UINT64: ("Q", False),
    values_pb2.ELEMENT_TYPE_FLOAT16: ("e", False),
    values_pb2.ELEMENT_TYPE_FLOAT32: ("f", False),
    values_pb2.ELEMENT_TYPE_FLOAT64: ("d", False),
    values_pb2.ELEMENT_TYPE_COMPLEX64: ("f", True),
    values_pb2.ELEMENT_TYPE_COMPLEX128: ("d", True),
}


def _opaque(name: str, content: object) -> Json:
    return {"__type__": name}


_TAG_VIEWS: Final[dict[str, Callable[[values_pb2.TaggedValue], Json]]] = {
    "python.dict": lambda content: _view_of_pairs(content.value),
    "python.datetime": _view_of_datetime,
    "numpy.fortran": _view_of_fortran,
    "numpy.str": _view_of_texts,
    "qiskit.QuantumCircuit": lambda content: {"__type__": "QuantumCircuit"},
}
_VIEWS: Final[dict[str, Callable[[Any], Json]]] = {
    "null_value": lambda content: None,
    "big_int_value": int,
    "double_value": _view_of_float,
    "bytes_value": functools.partial(_opaque, "bytes"),
    "list_value": _view_of_list,
    "map_value": map_to_python,
    "complex_value": _view_of_complex,
    "array_value": _view_of_array,
    "circuit_value": functools.partial(_opaque, "QuantumCircuit"),
    "timestamp_value": _view_of_timestamp,
    "blob_value": functools.partial(_opaque, "blob"),
    "tagged_value": _view_of_tagged,
}
