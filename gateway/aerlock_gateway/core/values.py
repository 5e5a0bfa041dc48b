"""JSON into Values, for the defaults that a schema gives."""

from google.protobuf.struct_pb2 import NULL_VALUE

from aerlock.v1.values_pb2 import ListValue, MapEntry, MapValue, Value

_SMALLEST_INT64, _LARGEST_INT64 = -(2**63), 2**63 - 1


def from_json(value: object) -> Value:
    """Returns the Value of what ``json.loads`` makes; its depth is bounded by the schema's."""
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
            return Value(list_value=ListValue(values=[from_json(item) for item in value]))
        case dict():
            entries = [MapEntry(key=key, value=from_json(item)) for key, item in value.items()]
            return Value(map_value=MapValue(entries=entries))
    raise TypeError(f"JSON has no {type(value).__name__}")
