"""Values to Python objects, whoever wrote them: everything is checked before it is read."""

# ruff: noqa: ANN401  (an object of any type may come)

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aerlock.codec import qpy
from aerlock.codec.arrays import read_array
from aerlock.codec.bounds import check_map, check_value
from aerlock.codec.tagged import BY_TAG, Tagged
from aerlock.v1 import values_pb2

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def from_value(value: values_pb2.Value) -> Any:
    """Decodes ``value``.

    Raises ValueError (`ValueBoundsError` where it is out of bounds) for anything
    that is not sound, and ImportError naming the package to install where a
    circuit comes and Qiskit is absent. A tag that this version does not know
    gives a `Tagged`.
    """
    check_value(value, value.ByteSize())
    return _decode(value)


def from_map(entries: values_pb2.MapValue) -> dict[str, Any]:
    """Decodes the entries into a dict; raises as `from_value` does."""
    check_map(entries, entries.ByteSize())
    return _decode_map(entries)


def _decode(value: values_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    content = getattr(value, kind)  # type: ignore[arg-type]  # check_value refuses a Value without a kind
    decoder = _DECODERS.get(kind)
    return content if decoder is None else decoder(content)


def _decode_list(content: values_pb2.ListValue) -> list[Any]:
    return [_decode(item) for item in content.values]


def _decode_map(content: values_pb2.MapValue) -> dict[str, Any]:
    return {entry.key: _decode(entry.value) for entry in content.entries}


def _decode_timestamp(content: Any) -> datetime:
    return _EPOCH + timedelta(seconds=content.seconds, microseconds=content.nanos // 1_000)


def _decode_tagged(content: values_pb2.TaggedValue) -> Any:
    plain = _decode(content.value)
    tagged = BY_TAG.get(content.type)
    if tagged is None:
        return Tagged(content.type, plain)
    try:
        return tagged.from_plain(plain)
    except ImportError as error:
        raise ImportError(
            f"a value of type {content.type} needs Qiskit to be read: pip install qiskit"
        ) from error
    except Exception as error:
        raise ValueError(f"a value of type {content.type} is malformed: {error}") from error


# Kinds that are not here are Python's own objects already.
_DECODERS: Final[dict[str | None, Callable[[Any], Any]]] = {
    "null_value": lambda content: None,
    "big_int_value": int,
    "list_value": _decode_list,
    "map_value": _decode_map,
    "complex_value": lambda content: complex(content.real, content.imag),
    "array_value": read_array,
    "circuit_value": qpy.read_circuit,
    "timestamp_value": _decode_timestamp,
    "tagged_value": _decode_tagged,
}
