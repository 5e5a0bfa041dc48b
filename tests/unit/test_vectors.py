"""The test vectors: what every language's tests rely on holds for the Python client."""

import json

import pytest
from equality import same
from vectors import files

from aerlock import jsonview
from aerlock.codec import check_value, from_value, to_value
from aerlock.codec.registry import TAGGED_TYPES
from aerlock.v1 import values_pb2
from aerlock.v1.values_pb2 import Value

VECTORS = {vector.path.name: vector for vector in files.vectors()}
INVALID = {vector.name: vector for vector in files.invalid_vectors()}


@pytest.fixture(params=VECTORS)
def vector(request):
    return VECTORS[request.param]


@pytest.fixture(params=INVALID)
def invalid(request):
    return INVALID[request.param]


def test_vector_decodes_to_what_python_makes_of_it(vector):
    value = vector.value
    assert check_value(value, value.ByteSize()) == []
    assert same(from_value(value), files.evaluate(vector.expression))


def test_vector_has_its_json_view(vector):
    view = jsonview.to_python(vector.value)
    assert same(view, vector.view)
    assert same(json.loads(jsonview.to_json(vector.value)), vector.view)


@pytest.mark.parametrize("name", [name for name, vector in VECTORS.items() if vector.is_canonical])
def test_vector_is_what_python_writes(name):
    vector = VECTORS[name]
    written = to_value(files.evaluate(vector.expression))
    # Bytes, since a message with a NaN does not equal itself.
    assert written.SerializeToString(deterministic=True) == vector.value.SerializeToString(deterministic=True)


def test_invalid_vector_is_refused_by_whom_the_index_says(invalid):
    value = invalid.parse()
    assert (value is None) == (invalid.refused_by == "parse")
    if value is None:
        return
    if invalid.refused_by == "check":
        with pytest.raises(ValueError):
            check_value(value, value.ByteSize())
    else:
        assert invalid.refused_by == "decode"
        check_value(value, value.ByteSize())
    with pytest.raises(ValueError):
        from_value(value)


def test_index_of_invalid_vectors_lists_exactly_the_files():
    present = {path.name.rpartition(".")[0] for path in files.INVALID.iterdir()} - {"index"}
    assert set(INVALID) == present
    assert {vector.refused_by for vector in INVALID.values()} == {"parse", "check", "decode"}


def parts(value: Value) -> list[Value]:
    """The value and all below it."""
    found = [value]
    for one in found:
        kind = one.WhichOneof("kind")
        if kind == "list_value":
            found += one.list_value.values
        elif kind == "map_value":
            found += [entry.value for entry in one.map_value.entries]
        elif kind == "tagged_value":
            found.append(one.tagged_value.value)
    return found


def test_every_kind_element_type_source_and_tag_has_a_vector():
    values = [part for vector in VECTORS.values() for part in parts(vector.value)]
    kinds = {value.WhichOneof("kind") for value in values}
    # A blob comes only where a Value is too large for a message.
    assert kinds == {field.name for field in Value.DESCRIPTOR.fields} - {"blob_value"}
    arrays = [value.array_value for value in values if value.WhichOneof("kind") == "array_value"]
    assert {array.element_type for array in arrays} == set(values_pb2.ElementType.values()) - {0}
    circuits = [value.circuit_value for value in values if value.WhichOneof("kind") == "circuit_value"]
    assert {circuit.WhichOneof("source") for circuit in circuits} == {"qpy", "openqasm2", "openqasm3"}
    tags = {value.tagged_value.type for value in values if value.WhichOneof("kind") == "tagged_value"}
    assert {tagged.tag for tagged in TAGGED_TYPES} - tags == set()
