"""Whether two Values are the same to a program: dicts and sets are, in whatever order their items come."""

from typing import Final

from aerlock.v1.values_pb2 import Value

_UNORDERED: Final = frozenset({"python.set", "python.frozenset", "python.dict"})
_ORDERED_MAP: Final = "python.OrderedDict"


def are_same(one: Value, other: Value) -> bool:
    """Compares two Values by their bytes, and where these differ once more without the order of items."""
    if _to_bytes(one) == _to_bytes(other):
        return True
    if one.ByteSize() != other.ByteSize():
        return False
    copies = Value(), Value()
    for copy, value in zip(copies, (one, other), strict=True):
        copy.CopyFrom(value)
        _sort(copy)
    return _to_bytes(copies[0]) == _to_bytes(copies[1])


def _to_bytes(value: Value) -> bytes:
    return value.SerializeToString(deterministic=True)


def _sort(value: Value, ordered: bool = False) -> None:
    """Puts what has no order into one, in place; a map that is ``ordered`` keeps its own."""
    match value.WhichOneof("kind"):
        case "list_value":
            for item in value.list_value.values:
                _sort(item)
        case "map_value":
            for entry in value.map_value.entries:
                _sort(entry.value)
            if not ordered:
                value.map_value.entries.sort(key=lambda entry: entry.key)
        case "tagged_value":
            tagged = value.tagged_value
            _sort(tagged.value, tagged.type == _ORDERED_MAP)
            if tagged.type in _UNORDERED:
                tagged.value.list_value.values.sort(key=_to_bytes)
