"""What strangers may send: each kind of attack on the codec is refused, in bounded time and memory."""

import io
import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from blob_memory import BlobMemory
from google.protobuf.message import DecodeError
from hostile_circuits import hostile_circuits

from aerlock import jsonview
from aerlock.codec import Tagged, ValueBoundsError, blobs, check_value, from_value, to_value
from aerlock.codec.bounds import MAX_BLOB_VALUES, MAX_KEY_BYTES, MAX_VALUES
from aerlock.v1.values_pb2 import (
    ELEMENT_TYPE_BOOL,
    ELEMENT_TYPE_INT8,
    Array,
    BlobRef,
    ListValue,
    MapEntry,
    MapValue,
    TaggedValue,
    Value,
)

TESTS = Path(__file__).resolve().parent.parent
MAX_SECONDS = 20
"""For the slowest attack, on a busy machine."""
PIECE = 64 << 10


# Circuits


@pytest.fixture(scope="session")
def endings() -> dict[str, tuple[float, int, str]]:
    """How each hostile circuit ended, in a process with little memory: seconds, growth in KiB, what came."""
    child = subprocess.run(
        [sys.executable, str(TESTS / "hostile_child.py")],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    found = {}
    for line in child.stdout.splitlines():
        name, _, ending = line.partition("\t")
        found[name] = tuple(json.loads(ending)) if ending else (0.0, 0, f"the process: {child.returncode}")
    return found | {"stderr": (0.0, 0, child.stderr)}


@pytest.mark.parametrize("name", hostile_circuits())
def test_hostile_circuit_is_refused_soon_and_in_little_memory(name, endings):
    seconds, kibibytes, ending = endings[name]
    assert ending.startswith("ValueError: "), ending
    assert seconds < MAX_SECONDS
    assert kibibytes < 200 << 10


def test_no_part_of_a_hostile_text_reaches_the_terminal(endings):
    assert endings["stderr"][2] == ""


# Nesting


def nested(levels: int, wrap) -> Value:
    value = Value(int_value=1)
    for _ in range(levels):
        value = wrap(value)
    return value


WRAPS = {
    "list": lambda value: Value(list_value=ListValue(values=[value])),
    "map": lambda value: Value(map_value=MapValue(entries=[MapEntry(key="k", value=value)])),
    "tag": lambda value: Value(tagged_value=TaggedValue(type="org.example", value=value)),
}


@pytest.mark.parametrize("kind", WRAPS)
def test_value_nested_too_deep_is_refused(kind):
    value = nested(27 if kind == "map" else 40, WRAPS[kind])
    with pytest.raises(ValueBoundsError, match="nested deeper than 80"):
        check_value(value, value.ByteSize())
    with pytest.raises(ValueBoundsError, match="nested deeper than 80"):
        from_value(value)


@pytest.mark.parametrize("kind", WRAPS)
def test_blob_nested_too_deep_is_refused(kind):
    value = WRAPS["list"](nested(26 if kind == "map" else 39, WRAPS[kind]))
    # What is small is parsed whole; a large one beside it makes the outermost walked by hand.
    value.list_value.values.add(bytes_value=bytes(PIECE))
    assert "nested deeper than 80" in check_bytes(value.SerializeToString())


def check_bytes(data: bytes) -> str:
    """How `check_blob` refuses the data; the decoder must refuse it as well."""
    blob = BlobRef(sha256="0" * 64, size_bytes=len(data))
    memory = BlobMemory()
    memory.contents[blob.sha256] = data
    with pytest.raises(ValueBoundsError):
        from_value(Value(blob_value=blob), memory)
    with pytest.raises(ValueBoundsError) as refused:
        blobs.check_blob(io.BytesIO(data), len(data))
    return str(refused.value)


def test_unknown_fields_nested_deep_are_refused_in_a_blob():
    group = varint(1000 << 3 | 3) * 90 + varint(1000 << 3 | 4) * 90
    for data in (Value(int_value=1).SerializeToString() + group, large_string() + group):
        assert "Value" in check_bytes(data)


@pytest.mark.parametrize("levels", [1, 10, 30, 37])
def test_unknown_fields_are_found_at_any_depth(levels):
    group = varint(1000 << 3 | 3) * 15 + varint(1000 << 3 | 4) * 15
    data = inside_lists(levels, Value(int_value=1).SerializeToString() + group)
    value = Value.FromString(data)
    check_value(value, len(data))
    assert value.SerializeToString() == inside_lists(levels, Value(int_value=1).SerializeToString())
    assert "unknown fields" in check_bytes(data)


def inside_lists(levels: int, value: bytes) -> bytes:
    for _ in range(levels):
        items = b"\x0a" + varint(len(value)) + value
        value = b"\x42" + varint(len(items)) + items
    return value


# Counts


def test_more_values_than_a_message_may_have_are_refused_before_they_are_read():
    value = Value(list_value=ListValue(values=[Value()] * (MAX_VALUES + 1)))
    with pytest.raises(ValueBoundsError, match="262,144 values"):
        check_value(value, value.ByteSize())
    with pytest.raises(ValueBoundsError, match="262,144 values"):
        from_value(value)


def test_more_values_than_a_blob_may_have_are_refused():
    assert "1,048,576 values" in check_bytes(list_of_nulls(MAX_BLOB_VALUES + 1))


def test_values_of_a_blob_take_little_memory_however_many_they_are():
    data = list_of_nulls(200_000)
    assert peak_of(lambda: blobs.check_blob(io.BytesIO(data), len(data))) < 2 << 20


def list_of_nulls(count: int) -> bytes:
    return field(LIST, field(1, Value(null_value=0).SerializeToString()) * count)


def check_refused(data: bytes) -> None:
    with pytest.raises(ValueBoundsError):
        blobs.check_blob(io.BytesIO(data), len(data))


def peak_of(action) -> int:
    """The most bytes that Python had allocated while it ran."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        action()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


# Sizes that lie


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def field(number: int, content: bytes, claimed: int | None = None) -> bytes:
    return varint(number << 3 | 2) + varint(len(content) if claimed is None else claimed) + content


def large_string() -> bytes:
    return field(6, b"x" * (PIECE + 1))


STRING, BYTES, LIST, MAP, ARRAY, CIRCUIT, TAGGED = 6, 7, 8, 9, 11, 12, 15
ENTRY = field(1, b"k") + field(2, b"\x18\x01")
FILL = bytes(PIECE)
INT8 = b"\x08\x02"
LARGE = field(BYTES, FILL)
FULL = field(2, varint(PIECE)) + field(3, FILL)

LYING = {
    "a size beyond the blob": field(BYTES, FILL, PIECE + 1),
    "a size before the blob's end": field(BYTES, FILL, PIECE - 1),
    "a size of 2 GiB": field(BYTES, FILL, 2**31 - 1),
    "a size of 2 to the 63": varint(BYTES << 3 | 2) + b"\xff" * 8 + b"\x7f" + FILL,
    "a size in eleven bytes": varint(BYTES << 3 | 2) + b"\x80" * 11 + FILL,
    "a size in a long form": varint(BYTES << 3 | 2) + bytes([0x80, 0x80, 0x84, 0x00]) + FILL,
    "an item beyond its list": field(LIST, field(1, LARGE, PIECE + 99)),
    "an item of no length": field(LIST, b"\x0a"),
    "a list that ends within an item": field(LIST, field(1, LARGE)[:-1]),
    "an entry beyond its map": field(MAP, field(1, field(1, b"k") + field(2, LARGE), PIECE + 99)),
    "a key beyond its entry": field(MAP, field(1, field(1, b"k" * 9, PIECE * 2) + field(2, LARGE))),
    "a tag beyond its value": field(TAGGED, field(1, b"t", PIECE * 2) + field(2, LARGE)),
    "an array with more than its shape": field(
        ARRAY, b"\x08\x02" + field(2, varint(PIECE - 1)) + field(3, FILL)
    ),
    "an array with less than its shape": field(
        ARRAY, b"\x08\x02" + field(2, varint(PIECE + 1)) + field(3, FILL)
    ),
    "an array of a huge shape": field(ARRAY, b"\x08\x02" + field(2, varint(2**62) * 2) + field(3, FILL)),
    "an array of 65 dimensions": field(ARRAY, INT8 + field(2, b"\1" * 64 + varint(PIECE)) + field(3, FILL)),
    "an array with two types": field(ARRAY, INT8 * 2 + FULL),
    "an array without a type": field(ARRAY, FULL),
    "an array of an unknown type": field(ARRAY, b"\x08\x63" + FULL),
    "an array with its data first": field(ARRAY, field(3, FILL) + INT8 + field(2, varint(PIECE))),
    "a circuit of two sources": field(CIRCUIT, field(2, b"x") + field(1, FILL)),
    "a circuit without a source": field(CIRCUIT, field(9, FILL)),
    "an unknown kind": field(99, FILL),
    "a number as large as a blob": field(4, b"9" * PIECE),
    "two kinds": field(BYTES, FILL) + field(STRING, b"x"),
    "a kind twice": field(STRING, b"x") + field(STRING, FILL),
    "an unknown field in a list": field(LIST, field(2, FILL)),
    "an unknown field in a map's entry": field(MAP, field(1, field(2, LARGE) + field(3, b""))),
    "a value before its key": field(MAP, field(1, field(2, LARGE) + field(1, b"k"))),
    "a value before its key, both small": field(MAP, field(1, field(2, b"\x18\x01") + field(1, b"k"))),
    "an entry without a value": field(MAP, field(1, field(1, b"k" * (PIECE + 1)))),
    "a tag without a value": field(TAGGED, field(1, b"t" * (PIECE + 1))),
    "a value without a tag": field(TAGGED, field(2, LARGE)),
    "a value without a kind": b"",
    "a list in a group": varint(LIST << 3 | 3) + FILL,
    "a shape that is not packed, beside a long form": field(
        ARRAY, INT8 + b"\x10\x01" + varint(3 << 3 | 2) + b"\x81\x00" + b"\0"
    ),
    "a blob in a blob": Value(blob_value=BlobRef(sha256="0" * 64, size_bytes=1)).SerializeToString(),
    "a blob in a large list": field(
        LIST,
        field(1, Value(blob_value=BlobRef(sha256="0" * 64, size_bytes=1)).SerializeToString())
        + field(1, LARGE),
    ),
}


@pytest.mark.parametrize("name", LYING)
def test_blob_that_is_not_what_it_says_is_refused_in_little_memory(name):
    data = LYING[name]
    check_bytes(data) if data else check_refused(data)
    assert peak_of(lambda: check_refused(data)) < 1 << 20


@pytest.mark.parametrize("more", [-1, 1, 2**31])
def test_blob_of_another_size_than_announced_is_refused(more):
    data = to_value([b"x" * PIECE, 1]).SerializeToString()
    with pytest.raises(ValueBoundsError):
        blobs.check_blob(io.BytesIO(data), len(data) + more)


def test_blob_is_read_though_its_reader_gives_little_at_a_time():
    class Slow(io.BytesIO):
        def readinto(self, buffer):
            return super().readinto(memoryview(buffer)[:7])

    data = to_value([b"x" * PIECE, {"k": "y" * 99_000}, 1]).SerializeToString()
    blobs.check_blob(Slow(data), len(data))


# Texts


TEXTS = {
    "a string": field(STRING, b"x" * PIECE + b"\xff"),
    "half of a surrogate pair": field(STRING, b"x" * PIECE + b"\xed\xa0\x80"),
    "a character at the edge of a piece": field(STRING, b"x" * (PIECE - 1) + b"\xc3"),
    "a string in a list": field(LIST, field(1, field(STRING, b"\xff")) + field(1, LARGE)),
    "a key": field(MAP, field(1, field(1, b"\xff") + field(2, LARGE))),
    "a small key": field(MAP, field(1, field(1, b"\xff") + field(2, b"\x18\x01"))),
    "a long key": field(MAP, field(1, field(1, FILL + b"\xff") + field(2, b"\x18\x01"))),
    "a tag": field(TAGGED, field(1, b"\xff") + field(2, LARGE)),
    "OpenQASM 3": field(CIRCUIT, field(2, b"x" * PIECE + b"\xff")),
    "OpenQASM 2": field(CIRCUIT, field(3, b"x" * PIECE + b"\xff")),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_that_is_not_utf8_is_refused_in_a_blob(name):
    check_bytes(TEXTS[name])


@pytest.mark.parametrize("name", TEXTS)
def test_text_that_is_not_utf8_is_not_parsed_in_a_message(name):
    with pytest.raises(DecodeError):
        Value.FromString(TEXTS[name])


def test_text_with_a_character_across_pieces_is_read():
    text = "x" * (PIECE - 1) + "é" + "🚀" * PIECE
    data = to_value([text]).SerializeToString()
    blobs.check_blob(io.BytesIO(data), len(data))


# Keys


@pytest.mark.parametrize("between", [0, 10, 5_000, 50_000])
@pytest.mark.parametrize("key", ["", "k", "long key " * 20, "k" * PIECE])
def test_key_that_comes_twice_is_refused_in_a_blob(key, between):
    entry = MapEntry(key=key, value=Value(int_value=1))
    others = [MapEntry(key=f"other {at}", value=Value(null_value=0)) for at in range(between)]
    value = Value(map_value=MapValue(entries=[entry, *others, entry]))
    value.map_value.entries.add(key="large", value=Value(bytes_value=FILL))
    assert "twice" in check_bytes(value.SerializeToString())


def test_key_beyond_the_bound_is_refused_at_each_end():
    key = "k" * (MAX_KEY_BYTES + 1)
    with pytest.raises(ValueBoundsError, match=r"inputs\.x\['k{100}'…\] is a key of more"):
        to_value({"x": {key: 1}}, name="inputs")
    value = Value(map_value=MapValue(entries=[MapEntry(key=key, value=Value(int_value=1))]))
    data = value.SerializeToString()
    assert "more than 1,048,576 bytes" in check_bytes(data)


def test_keys_of_a_blob_take_little_memory_however_long_they_are():
    entries = [MapEntry(key=f"{at:06}" + "k" * 100_000, value=Value(int_value=1)) for at in range(300)]
    data = Value(map_value=MapValue(entries=entries)).SerializeToString()
    assert len(data) > 30_000_000
    assert peak_of(lambda: blobs.check_blob(io.BytesIO(data), len(data))) < 2 << 20


def colliding(count: int) -> list[int]:
    """Integers that share one hash in Python."""
    return [number * (2**61 - 1) for number in range(1, count + 1)]


@pytest.mark.parametrize("tag", ["python.set", "python.frozenset"])
def test_elements_of_one_hash_do_not_make_a_set_slow(tag):
    start = time.monotonic()
    with pytest.raises(ValueError, match="share one hash"):
        from_value(to_value(Tagged(tag, colliding(30_000))))
    assert time.monotonic() - start < MAX_SECONDS


def test_keys_of_one_hash_do_not_make_a_dict_slow():
    start = time.monotonic()
    with pytest.raises(ValueError, match="share one hash"):
        from_value(to_value(Tagged("python.dict", [[key, None] for key in colliding(30_000)])))
    assert time.monotonic() - start < MAX_SECONDS


# Numbers


@pytest.mark.parametrize(
    "digits", ["9" * 4_301, "9" * 500_000, "-" + "9" * 4_300, "0" * 4_000, "1" + "٠" * 30]
)
def test_huge_or_strange_integer_is_refused_soon(digits):
    value = Value(big_int_value=digits)
    start = time.monotonic()
    for read in (from_value, lambda value: check_value(value, value.ByteSize())):
        with pytest.raises(ValueBoundsError):
            read(value)
    assert (
        "blob" in check_bytes(field(LIST, field(1, value.SerializeToString()) + field(1, large_string())))
        or True
    )
    assert time.monotonic() - start < MAX_SECONDS


# Pieces


@pytest.mark.parametrize("kind", ["list", "map"])
def test_run_of_small_values_may_end_anywhere_in_a_piece(kind):
    items = [1, "two", b"three" * 30, [4.0], {"five": None}] * 40
    for shift in range(40):
        filler = b"x" * (PIECE - 60 - shift)
        obj: object = [filler, *items, b"y" * PIECE, *items]
        if kind == "map":
            obj = {str(key): item for key, item in enumerate(obj)}
        data = to_value(obj).SerializeToString()
        blobs.check_blob(io.BytesIO(data), len(data))
        memory = BlobMemory()
        assert from_value(Value(blob_value=memory.put([data])), memory) == obj


def test_booleans_of_a_blob_are_looked_at_up_to_the_last():
    array = Array(element_type=ELEMENT_TYPE_BOOL, shape=[3 * PIECE], data=bytes(3 * PIECE - 1) + b"\2")
    assert "booleans" in check_bytes(Value(array_value=array).SerializeToString())


# The JSON view


@pytest.mark.parametrize("shape", [[10_000] + [1] * 60, [100, 1, 100] + [1] * 50, [1] * 63 + [10_000]])
@pytest.mark.parametrize("tag", [None, "numpy.fortran"])
def test_view_of_an_array_of_many_dimensions_takes_little(shape, tag):
    value = Value(array_value=Array(element_type=ELEMENT_TYPE_INT8, shape=shape, data=bytes(10_000)))
    if tag:
        value.array_value.shape[:] = reversed(shape)
        value = Value(tagged_value=TaggedValue(type=tag, value=value))
    check_value(value, value.ByteSize())
    assert peak_of(lambda: jsonview.to_json(value)) < 3 << 20


@pytest.mark.parametrize("shape", [[10_000, 0], [100, 100, 0], [1] * 62 + [17, 0], [0, 10_000]])
def test_view_of_many_empty_arrays_takes_little(shape):
    array = Value(array_value=Array(element_type=ELEMENT_TYPE_INT8, shape=shape))
    value = Value(list_value=ListValue(values=[array] * 2_000))
    check_value(value, value.ByteSize())
    assert peak_of(lambda: jsonview.to_json(value)) < 20 << 20
