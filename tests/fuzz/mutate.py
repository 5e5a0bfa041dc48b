"""Changes inputs a little, at random: bytes anywhere, or whole Values where the input is one."""

from collections.abc import Sequence
from random import Random

from google.protobuf.message import DecodeError

from aerlock.codec.registry import BY_TAG
from aerlock.v1.values_pb2 import Value

STRUCTURED = frozenset({"value", "blob"})
"""Targets whose input is a serialized Value."""

# What stands at the edges of numbers and lengths.
_EDGES = (
    b"\0",
    b"\1",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff" * 4,
    b"\x7f" + b"\xff" * 7,
    b"\xff" * 9 + b"\1",
    b"\0" * 8,
)
_TAGS = (*BY_TAG, "org.example", "")
_NUMBERS = (0, 1, -1, 2**31, 2**32, 2**62, 2**63 - 1, -(2**63))


def mutate(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Changes one to four places of ``data``; pieces may come from ``others``."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        _CHANGES[random.randrange(len(_CHANGES))](changed, others, random)
    return bytes(changed)


def _flip(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _write_edge(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    at, edge = random.randint(0, len(data)), random.choice(_EDGES)
    data[at : at + len(edge) * random.randint(0, 1)] = edge


def _splice(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    at, piece, length = random.randint(0, len(data)), random.choice(others), random.choice((1, 4, 16, 64))
    start = random.randint(0, len(piece))
    data[at : at + length * random.randint(0, 1)] = piece[start : start + length]


def _delete(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    at = random.randint(0, len(data))
    del data[at : at + random.choice((1, 2, 4, 8, 32))]


def _cut(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    del data[random.randint(0, len(data)) :]


_CHANGES = (_flip, _set, _write_edge, _write_edge, _splice, _splice, _delete, _cut)


def mutate_value(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Changes a part of the Value in ``data``, so that lengths stay sound; as `mutate` where it is none."""
    value, other = _parse(data), _parse(random.choice(others))
    if value is None or other is None:
        return mutate(data, others, random)
    part, piece = random.choice(_parts(value)), random.choice(_parts(other))
    _PART_CHANGES[random.randrange(len(_PART_CHANGES))](part, piece, random)
    return value.SerializeToString()


def _parse(data: bytes) -> Value | None:
    try:
        return Value.FromString(data)
    except DecodeError:
        return None


def _parts(value: Value) -> list[Value]:
    found = [value]
    for one in found:
        found += _children(one)
    return found


def _children(value: Value) -> list[Value]:
    if value.HasField("list_value"):
        return list(value.list_value.values)
    if value.HasField("map_value"):
        return [entry.value for entry in value.map_value.entries]
    return [value.tagged_value.value] if value.HasField("tagged_value") else []


def _replace(part: Value, piece: Value, random: Random) -> None:
    copied = Value.FromString(piece.SerializeToString())
    part.CopyFrom(copied)


def _retag(part: Value, piece: Value, random: Random) -> None:
    copied = Value.FromString(part.SerializeToString())
    part.tagged_value.type = piece.tagged_value.type or random.choice(_TAGS)
    part.tagged_value.value.CopyFrom(copied)


def _wrap(part: Value, piece: Value, random: Random) -> None:
    copied = Value.FromString(part.SerializeToString())
    if random.random() < 0.5:
        part.list_value.values.extend([copied] * random.choice((1, 1, 2, 40)))
    else:
        part.map_value.entries.add(key="a", value=copied)


def _put_number(part: Value, piece: Value, random: Random) -> None:
    number = random.choice(_NUMBERS)
    if part.HasField("array_value") and part.array_value.shape:
        part.array_value.shape[random.randrange(len(part.array_value.shape))] = number
    elif part.HasField("array_value"):
        part.array_value.element_type = random.randint(0, 15)
    else:
        part.int_value = number


def _change_length(part: Value, piece: Value, random: Random) -> None:
    for items in (part.list_value.values, part.map_value.entries):
        if items and random.random() < 0.5:
            del items[random.randrange(len(items))]
        elif items:
            items.add().CopyFrom(items[random.randrange(len(items))])


_PART_CHANGES = (_replace, _replace, _retag, _wrap, _put_number, _change_length)
