"""Large values: out of a message into blobs, and back from blobs, within bounds."""

import hashlib
import io
from contextlib import contextmanager

import numpy as np
import pytest

from aerlock import codec
from aerlock.v1.values_pb2 import BlobRef, ListValue, TaggedValue, Value


class Memory:
    """Blobs in memory."""

    def __init__(self):
        self.contents = {}

    def put(self, parts):
        content = b"".join(parts)
        digest = hashlib.sha256(content).hexdigest()
        self.contents[digest] = content
        return BlobRef(sha256=digest, size_bytes=len(content))

    @contextmanager
    def open(self, blob):
        yield io.BytesIO(self.contents[blob.sha256])


@pytest.fixture
def blobs():
    return Memory()


@pytest.fixture
def options(blobs):
    return codec.EncodeOptions(blobs=blobs)


def test_blob_named_again_and_again_is_bounded(blobs, options):
    large = codec.to_value([None] * 600_000, options=options)
    again = Value(list_value=ListValue(values=[large] * 900))
    with pytest.raises(codec.ValueBoundsError, match="more than 4,194,304 values"):
        codec.from_value(again, blobs)


def test_blobs_of_more_bytes_than_a_value_may_have_are_not_read(blobs):
    huge = Value(blob_value=BlobRef(sha256="0" * 64, size_bytes=2**31))
    with pytest.raises(codec.ValueBoundsError, match="take more than 2,147,483,647 bytes"):
        codec.from_value(huge, blobs)


def test_blob_named_twice_gives_objects_of_their_own(blobs, options):
    array = np.zeros(200_000)
    value = codec.to_value([array, array], options=options)
    assert len(blobs.contents) == 1
    first, second = codec.from_value(value, blobs)
    first[0] = 1
    assert second[0] == 0


def test_small_values_stay_beside_large_ones(blobs, options):
    value = codec.to_map({"samples": np.zeros(200_000), "rounds": 3}, options=options)
    assert [entry.value.WhichOneof("kind") for entry in value.entries] == ["blob_value", "int_value"]


def test_array_is_not_copied_on_its_way_into_a_blob(blobs):
    array = np.zeros(200_000)

    class Sink(Memory):
        def put(self, parts):
            assert any(np.shares_memory(array, np.frombuffer(part, np.uint8)) for part in parts)
            return super().put(parts)

    codec.to_value(array, options=codec.EncodeOptions(blobs=Sink()))


def test_unreadable_input_is_named():
    wrong = codec.to_map({"good": 1})
    bad = TaggedValue(type="python.tuple", value=Value(int_value=1))
    wrong.entries.add(key="bad", value=Value(tagged_value=bad))
    with pytest.raises(ValueError, match=r"inputs\.bad: a value of type python\.tuple is malformed"):
        codec.from_map(wrong)


def test_blob_without_a_source_is_refused(options):
    value = codec.to_value(np.zeros(200_000), options=options)
    with pytest.raises(codec.ValueBoundsError, match="nowhere to read it from"):
        codec.from_value(value)
