"""JSON into Values, for the defaults that a schema gives."""

from collections.abc import Mapping
from typing import Final

from google.protobuf.struct_pb2 import NULL_VALUE

from aerlock.codec.bounds import MAX_DEPTH, ValueBoundsError, check_map
from aerlock.v1.values_pb2 import ListValue, MapEntry, MapValue, Value

_SMALLEST_INT64, _LARGEST_INT64 = -(2**63), 2**63 - 1
# How many message levels below a container its items stand; those of a map of inputs stand at 4.
_LIST_LEVELS: Final = 2
_MAP_LEVELS: Final = 3


def inputs_from_json(entries: Mapping[str, object]) -> MapValue:
    """Returns inputs out of what ``json.loads`` makes, name to value.

    Raises `ValueBoundsError` where inputs cannot hold them.
    """
    try:
        inputs = _map(entries, 1 + _MAP_LEVELS)
    except UnicodeEncodeError:
        raise ValueBoundsError("a text has half a surrogate pair, which is no character") from None
    check_map(inputs, inputs.ByteSize())
    return inputs


def _map(entries: Mapping[str, object], level: int) -> MapValue:
    return MapValue(entries=[MapEntry(key=key, value=_value(item, level)) for key, item in entries.items()])


def _value(value: object, level: int) -> Value:
    # Ahead of check_map: protobuf cannot even build a message that nests too deep.
    if level > MAX_DEPTH:
        raise ValueBoundsError("nested too deep; at most about 35 lists or 25 objects are allowed")
    match value:
        case None:
            return Value(null_value=NULL_VALUE)
        case bool():
            return Value(bool_value=value)
        case int() if _SMALLEST_INT64 <= value <= _LARGEST_INT64:
            return Value(int_value=value)
        case int():
            return Value(big_int_value=str(value))
        case float():
            return Value(double_value=value)
        case str():
            return Value(string_value=value)
        case list():
            return Value(list_value=ListValue(values=[_value(item, level + _LIST_LEVELS) for item in value]))
        case dict():
            return Value(map_value=_map(value, level + _MAP_LEVELS))
    raise TypeError(f"JSON has no {type(value).__name__}")
