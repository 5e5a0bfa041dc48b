"""What leaves a message for blobs: enough that it fits, so little that it stays readable, nothing twice."""

import io

import numpy as np
import pytest
from blob_memory import BlobMemory
from equality import same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit.library import efficient_su2

from aerlock.codec import (
    EncodeOptions,
    ValueBoundsError,
    blobs,
    check_value,
    from_map,
    from_value,
    offload,
    to_map,
    to_value,
)
from aerlock.codec.bounds import MAX_BLOBS, MAX_INLINE_BYTES, check_map
from aerlock.v1.values_pb2 import MapValue, Value

KIB = 1 << 10


def stored(obj: object, memory: BlobMemory) -> Value:
    """The object's message, after a look at all that makes it up."""
    value = to_value(obj, options=EncodeOptions(blobs=memory))
    refs = check_value(value, value.ByteSize())
    check_blobs(refs, memory)
    return value


def check_blobs(refs: list, memory: BlobMemory) -> None:
    """Each blob is named, sound, and of its size; a placeholder would have none."""
    assert {ref.sha256 for ref in refs} == set(memory.contents)
    assert len(refs) <= MAX_BLOBS
    for ref in refs:
        assert len(memory.contents[ref.sha256]) == ref.size_bytes
        blobs.check_blob(io.BytesIO(memory.contents[ref.sha256]), ref.size_bytes)


def sizes(memory: BlobMemory) -> list[int]:
    return sorted(map(len, memory.contents.values()))


# Leaves of all sizes; their content is drawn by a number, since hypothesis draws no megabytes.
leaf_bytes = st.sampled_from([0, 1, 200, 300, 3 * KIB, 5 * KIB, 60 * KIB, 70 * KIB, MAX_INLINE_BYTES])
leaves = st.one_of(
    st.builds(lambda size, seed: bytes([seed]) * size, leaf_bytes, st.integers(0, 3)),
    st.builds(lambda size, seed: "aθ🚀x"[seed] * size, leaf_bytes, st.integers(0, 3)),
    st.builds(lambda size, seed: np.full(size // 8, seed, float), leaf_bytes, st.integers(0, 3)),
    st.builds(
        lambda size: np.zeros((size + 8 * MAX_INLINE_BYTES) // 64, complex).reshape(1, -1).T, leaf_bytes
    ),
    st.integers(),
)
documents = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.lists(inner, max_size=8).map(tuple)
        | st.dictionaries(st.text("abc", max_size=2), inner, max_size=8)
        | st.dictionaries(st.integers(), inner, max_size=8)
    ),
    max_leaves=30,
)
large_documents = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@given(documents)
@large_documents
def test_document_of_any_form_fits_and_comes_back(obj):
    memory = BlobMemory()
    value = stored(obj, memory)
    assert value.ByteSize() <= MAX_INLINE_BYTES
    assert same(from_value(Value.FromString(value.SerializeToString()), memory), obj)
    assert len(memory.opened) == len(set(memory.opened))


@given(st.dictionaries(st.text("abc", max_size=2), documents, max_size=8))
@large_documents
def test_inputs_of_any_form_fit_and_come_back(inputs):
    memory = BlobMemory()
    entries = to_map(inputs, options=EncodeOptions(blobs=memory))
    check_blobs(check_map(entries, entries.ByteSize()), memory)
    assert entries.ByteSize() <= MAX_INLINE_BYTES
    assert same(from_map(MapValue.FromString(entries.SerializeToString()), memory), inputs)


@given(documents)
@large_documents
def test_equal_documents_have_equal_blobs(obj):
    one, other = BlobMemory(), BlobMemory()
    assert stored(obj, one) == stored(from_value(stored(obj, BlobMemory()), one), other)
    assert one.contents == other.contents


def test_what_fits_stays_in_the_message():
    memory = BlobMemory()
    stored({"a": b"x" * (MAX_INLINE_BYTES - 100), "b": [1, 2]}, memory)
    assert memory.puts == 0


def test_repeated_leaf_is_one_blob():
    array = np.zeros(1_000_000)
    memory = BlobMemory()
    value = stored({"first": array, "list": [array, array.copy(), {"again": array}]}, memory)
    assert len(memory.contents) == 1
    assert same(from_value(value, memory)["list"][2]["again"], array)


def large_circuit() -> QuantumCircuit:
    ansatz = efficient_su2(8, reps=3, name="large")
    circuit = ansatz.assign_parameters(np.arange(ansatz.num_parameters) / 7)
    # A few bytes over a mebibyte, which are soon compared.
    circuit.unitary(np.diag(np.exp(1j * np.arange(256))), range(8))
    return circuit


def test_circuit_that_is_sent_again_is_the_same_blob():
    circuit, memory = large_circuit(), BlobMemory()
    value = stored({"circuits": [circuit, circuit], "shots": 10}, memory)
    assert len(memory.contents) == 1
    before = dict(memory.contents)
    stored([circuit.copy(name=circuit.name), 1], memory)
    assert memory.contents == before
    first, second = from_value(value, memory)["circuits"]
    assert same(first, circuit)
    assert same(second, circuit)
    assert first is not second


def test_small_values_beside_a_large_one_stay_readable():
    memory = BlobMemory()
    value = stored({"small": {"a": [1, 2]}, "large": [np.zeros(200_000), "label"], "text": "hello"}, memory)
    entries = {entry.key: entry.value for entry in value.map_value.entries}
    assert entries["small"].WhichOneof("kind") == "map_value"
    assert entries["text"].string_value == "hello"
    (array, label) = entries["large"].list_value.values
    assert array.WhichOneof("kind") == "blob_value"
    assert label.string_value == "label"
    assert sizes(memory) == [1_600_000 + 15]


@pytest.mark.parametrize("count", [819, 820, 1_001])
def test_list_of_many_arrays_needs_no_more_blobs_than_are_allowed(count):
    memory = BlobMemory()
    arrays = [np.full(9_000, number, float) for number in range(count)]
    value = stored(arrays, memory)
    assert same(from_value(value, memory), arrays)


def test_lists_that_need_too_many_blobs_together_become_one(monkeypatch):
    monkeypatch.setattr(offload, "MAX_BLOBS", 30)
    lists = [[np.full(9_000, at, float) for at in range(start, start + 18)] for start in (0, 100)]
    memory = BlobMemory()
    assert same(from_value(stored(lists, memory), memory), lists)
    assert len(memory.contents) == 1
    inputs = dict(zip("ab", lists, strict=True))
    memory = BlobMemory()
    entries = to_map(inputs, options=EncodeOptions(blobs=memory))
    check_blobs(check_map(entries, entries.ByteSize()), memory)
    assert same(from_map(entries, memory), inputs)
    assert len(memory.contents) == 2


def test_inputs_of_very_many_values_that_cannot_fit_are_refused():
    inputs = {f"input {number}": "x" * 200 for number in range(10_000)}
    with pytest.raises(ValueBoundsError, match="1,048,576"):
        to_map(inputs, options=EncodeOptions(blobs=BlobMemory()))
    # One dict is one value, and may be one blob.
    memory = BlobMemory()
    assert from_value(stored(inputs, memory), memory) == inputs


def test_object_that_no_blob_holds_is_refused_with_its_place():
    array = np.broadcast_to(np.zeros(1), (2**28 + 1,))
    with pytest.raises(ValueBoundsError, match=r"inputs\.a\[1\] takes 2,147,483,\d+ bytes; at most"):
        to_map({"a": [1, array]}, options=EncodeOptions(blobs=BlobMemory()))


def test_placeholders_of_a_document_that_fails_leave_nothing_behind():
    memory = BlobMemory()
    with pytest.raises(TypeError, match=r"value\[1\] is a builtins\.object"):
        to_value([np.zeros(1_000_000), object()], options=EncodeOptions(blobs=memory))
    assert memory.puts == 0
