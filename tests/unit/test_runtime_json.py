"""Tagged JSON: what its own pair carries, and how it is extended."""

import enum
import io
import json
import subprocess
import sys
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse
from equality import same
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy
from json_samples import GOLDEN, OBJECTS, A, V, flow
from qiskit import QuantumCircuit, quantum_info
from qiskit.circuit.library import Measure, XGate

from aerlock import ResultDecoder, RuntimeDecoder, RuntimeEncoder
from aerlock.codec import register
from aerlock.codec.runtime_json.registry import READERS


def dumps(obj: object) -> str:
    return json.dumps(obj, cls=RuntimeEncoder)


def loads(text: str) -> object:
    return json.loads(text, cls=RuntimeDecoder)


KEYS = st.sampled_from(["__type__", "__value__", "__shape__", "__vector__", "data"]) | st.text(max_size=5)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=10)
    | st.binary(max_size=10)
    | st.datetimes()
    | st.dates()
    | st.sampled_from(sorted(READERS))
    | st.sets(
        st.integers() | st.text(max_size=3) | st.tuples(st.integers(), st.binary(max_size=3)), max_size=4
    )
    | st.frozensets(st.dates() | st.frozensets(st.integers(), max_size=2), max_size=4)
    | hypothesis_numpy.arrays(
        hypothesis_numpy.scalar_dtypes() | hypothesis_numpy.array_dtypes(allow_subarrays=False),
        hypothesis_numpy.array_shapes(min_dims=0, min_side=0, max_side=3),
    )
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda items: st.lists(items, max_size=4) | st.dictionaries(KEYS, items, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS)
@example({"__type__": "set", "__value__": [1]})
@example({"__type__": "dict", "__value__": [["a", 1]]})
@example({"__type__": "dict", "__value__": "no pairs"})
@example({"__type__": "settings", "__value__": {"__type__": "complex", "__value__": [0, 1]}})
@example({"__type__": "mine", "__value__": 1})
@example({"__type__": ["complex"], "__value__": 1})
def test_document_survives_the_own_pair(obj):
    assert same(loads(dumps(obj)), obj)


@given(st.lists(LEAVES, max_size=6), st.integers(0, 3))
def test_array_of_objects_keeps_its_shape(leaves, columns):
    array = np.empty((len(leaves), columns), dtype=object)
    for row, leaf in enumerate(leaves):
        for column in range(columns):
            array[row, column] = [leaf] if column else leaf
    assert same(loads(dumps(array)), array)


def test_parts_of_one_vector_share_it_within_a_document():
    first, second = loads(dumps([V[0], {V[2]}]))
    # Vectors are equal where they are the same one.
    assert first.vector == next(iter(second)).vector
    assert list(first.vector) == list(V)


@pytest.mark.parametrize("obj", [V[0] * 2 + A, scipy.sparse.lil_array(np.eye(2)), Decimal("1.50")])
def test_what_only_the_codec_carries_comes_back(obj):
    assert same(loads(dumps({"only": obj})), {"only": obj})


class Point(NamedTuple):
    x: float
    y: complex


class Color(enum.StrEnum):
    RED = "red"


register(Point, "test_runtime_json.Point")
register(Color, "test_runtime_json.Color")


def test_class_that_is_registered_with_the_codec_comes_back_as_itself():
    assert same(loads(dumps([Point(1.0, 1j), Color.RED, (1, 2)])), [Point(1.0, 1j), Color.RED, [1, 2]])


@pytest.mark.parametrize("operation", [XGate(), Measure()])
def test_instruction_comes_back_with_its_classical_bits(operation):
    assert loads(dumps(operation)) == operation


def test_circuit_metadata_is_carried_as_exactly_as_the_rest():
    circuit = QuantumCircuit(1, metadata={"angles": np.arange(3), "z": 1j, "inner": flow()})
    assert same(loads(dumps(circuit)).metadata, circuit.metadata)


@pytest.mark.parametrize(
    "channel",
    [
        quantum_info.Kraus(([np.eye(2)], [np.eye(2) * 1j])),
        quantum_info.Stinespring((np.eye(2), np.eye(2) * 1j)),
        quantum_info.SparsePauliOp(["XX", "ZI"], np.array([A, V[0] * 2])),
    ],
)
def test_operator_that_the_original_cannot_read_back_is(channel):
    assert loads(dumps(channel)) == channel


def test_numpy_scalars_become_numbers():
    scalars = [np.int8(3), np.uint64(2**64 - 1), np.float32(1.5), np.bool_(True), np.complex64(1j)]
    assert same(loads(dumps(scalars)), [3, 2**64 - 1, 1.5, True, 1j])


def test_callable_becomes_null_with_a_warning():
    with pytest.warns(UserWarning, match="print"):
        assert dumps({"f": print}) == '{"f": null}'


def endless() -> list:
    endless = []
    endless.append(endless)
    return endless


@pytest.mark.parametrize(
    ("obj", "error", "words"),
    [
        (object(), TypeError, "object"),
        ([{"a": {object()}}], TypeError, "object"),
        ({(1, 2): 3}, TypeError, "keys must be"),
        ({1: 2, "1": 3}, ValueError, "same in JSON"),
        (endless(), ValueError, "contains itself"),
        (np.ma.masked_array([1, 2], [True, False]), TypeError, "mask"),
        (np.longdouble(1), TypeError, "float64"),
    ],
)
def test_object_that_json_cannot_carry_is_refused(obj, error, words):
    with pytest.raises(error, match=words):
        dumps(obj)


class Mine:
    def __init__(self, content: object) -> None:
        self.content = content


class MyEncoder(RuntimeEncoder):
    def default(self, obj):
        if isinstance(obj, Mine):
            return {"__type__": "mine", "__value__": obj.content}
        return super().default(obj)


class MyDecoder(RuntimeDecoder):
    def object_hook(self, found):
        found = super().object_hook(found)
        return Mine(found["__value__"]) if isinstance(found, dict) and "__type__" in found else found


def test_subclasses_of_the_pair_carry_a_class_of_their_own():
    text = json.dumps([Mine({1j, 2}), {"a": Mine(np.arange(2))}], cls=MyEncoder)
    first, second = json.loads(text, cls=MyDecoder)
    assert first.content == {1j, 2}
    assert same(second["a"].content, np.arange(2))
    assert same(loads(text)[0], {"__type__": "mine", "__value__": {1j, 2}})


def test_json_that_came_tagged_is_data_to_the_encoder():
    plain = json.loads(json.dumps(GOLDEN))
    assert same(loads(dumps(plain)), plain)


def test_streamed_and_indented_output_is_the_same_document():
    buffer = io.StringIO()
    json.dump({"a": {1j}}, buffer, cls=RuntimeEncoder, indent=2, sort_keys=True)
    assert loads(buffer.getvalue()) == {"a": {1j}}


def test_result_decoder_leaves_text_that_is_no_json():
    assert ResultDecoder.decode("All done!") == "All done!"
    assert ResultDecoder.decode('{"__type__": "set", "__value__": [1]}') == {1}
    with pytest.raises(ValueError, match="malformed"):
        ResultDecoder.decode('{"__type__": "set", "__value__": 1}')


def test_import_loads_neither_numpy_nor_qiskit_nor_grpc():
    check = """
import json, sys
from aerlock import RuntimeDecoder, RuntimeEncoder
text = json.dumps({"a": [1j, b"x", {1}], "f": 0.5}, cls=RuntimeEncoder)
assert json.loads(text, cls=RuntimeDecoder) == {"a": [1j, b"x", {1}], "f": 0.5}
sys.exit(bool({"numpy", "qiskit", "scipy", "grpc"} & set(sys.modules)))
"""
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)


def test_value_of_an_absent_package_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "qiskit_aer.noise", None)
    with pytest.raises(ImportError, match="pip install qiskit-aer"):
        loads(json.dumps(GOLDEN["NoiseModel"]))


def test_samples_are_of_every_tag_that_is_read():
    tags = {
        found["__type__"] for found in map(json.loads, map(dumps, OBJECTS_WITH_TAG)) if "__type__" in found
    }
    unwritten = {"ParameterExpression", "EstimatorPubResult", "dict", "bytes", "frozenset", "aerlock.Value"}
    assert tags | unwritten >= READERS.keys()


OBJECTS_WITH_TAG = [obj for name, obj in OBJECTS.items() if name not in ("callable", "nested", "np_int64")]
