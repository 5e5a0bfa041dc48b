"""What holds for every object and every Value: hypothesis looks for one for which it does not."""

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from blob_memory import BlobMemory
from equality import same
from fuzz.strategies import objects, ordered_objects, plain_json, text, values
from fuzz.targets import Refused, outcome, run_blob, run_value, small_pieces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aerlock import jsonview
from aerlock.codec import (
    EncodeOptions,
    blobs,
    check_value,
    encoders,
    from_map,
    from_value,
    offload,
    to_map,
    to_value,
)
from aerlock.codec.runtime_json import RuntimeDecoder, RuntimeEncoder
from aerlock.v1.values_pb2 import Value

CASES = int(os.environ.get("FUZZ_CASES", "60"))
"""Examples for each property; `make fuzz` asks for more."""

thorough = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@contextmanager
def small_bounds() -> Iterator[None]:
    """Lets little objects be large ones: they go into blobs, and these are read in small pieces."""
    with pytest.MonkeyPatch.context() as patch, small_pieces():
        patch.setattr(encoders, "LARGE_BYTES", 200)
        patch.setattr(offload, "MAX_INLINE_BYTES", 300)
        patch.setattr(offload, "_WORTH_BYTES", (60, 40, 20))
        yield


@given(objects)
@thorough
def test_object_comes_back_the_same(obj):
    value = to_value(obj)
    encoded = value.SerializeToString()
    assert check_value(value, len(encoded)) == []
    assert same(from_value(Value.FromString(encoded)), obj)


@given(st.dictionaries(text, objects, max_size=3))
@thorough
def test_inputs_come_back_the_same(inputs):
    assert same(from_map(to_map(inputs)), inputs)


@given(objects)
@thorough
def test_object_comes_back_the_same_through_blobs(obj):
    memory = BlobMemory()
    with small_bounds():
        value = to_value(obj, options=EncodeOptions(blobs=memory))
        refs = check_value(value, value.ByteSize())
        assert {ref.sha256 for ref in refs} == set(memory.contents)
        for ref in refs:
            with memory.open(ref) as reader:
                blobs.check_blob(reader, ref.size_bytes)
        assert same(from_value(value, memory), obj)


@given(ordered_objects)
@thorough
def test_equal_objects_make_equal_messages_and_blobs(obj):
    one, other = BlobMemory(), BlobMemory()
    again = from_value(to_value(obj))
    with small_bounds():
        left = to_value(obj, options=EncodeOptions(blobs=one))
        right = to_value(again, options=EncodeOptions(blobs=other))
    assert left.SerializeToString() == right.SerializeToString()
    assert one.contents == other.contents


@given(values)
@thorough
def test_value_is_read_and_written_again_or_refused(value):
    run_value(value.SerializeToString())


@given(values)
@thorough
def test_blob_is_read_alike_in_pieces_and_whole(value):
    run_blob(value.SerializeToString())


@given(values)
@thorough
def test_view_of_a_sound_value_is_json(value):
    if isinstance(outcome(lambda: check_value(value, value.ByteSize())), Refused):
        return
    assert json.loads(jsonview.to_json(value)) == jsonview.to_python(value)


@given(plain_json)
@thorough
def test_plain_json_is_its_own_view(obj):
    assert same(json.loads(jsonview.to_json(to_value(obj))), obj)


@given(plain_json)
@thorough
def test_tagged_json_of_plain_json_is_plain_json(obj):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = json.dumps(obj, cls=RuntimeEncoder)
    assert same(json.loads(written, cls=RuntimeDecoder), obj)
