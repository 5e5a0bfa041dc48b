"""Values: exact round trips, and refusal of all that is malformed or out of bounds."""

import struct
import subprocess
import sys
import warnings
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import DensityMatrix, Operator, SparsePauliOp, Statevector, SuperOp
from qiskit.result import Counts, Result
from qiskit_aer import AerSimulator

from aerlock.codec import Tagged, ValueBoundsError, check_value, from_map, from_value, to_map, to_value
from aerlock.codec.bounds import MAX_DEPTH, MAX_INLINE_BYTES, MAX_VALUES
from aerlock.v1.values_pb2 import (
    ELEMENT_TYPE_BOOL,
    ELEMENT_TYPE_FLOAT64,
    ELEMENT_TYPE_INT8,
    MapValue,
    TaggedValue,
    Value,
)


def same(left: object, right: object) -> bool:
    """Equal in type and value, through containers; NaN is equal to itself and -0.0 is not 0.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, np.ndarray | np.generic):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, float):
        return struct.pack("<d", left) == struct.pack("<d", right) or (left != left and right != right)
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    return left == right


def round_trip(obj: object) -> object:
    value = to_value(obj)
    encoded = value.SerializeToString()
    check_value(value, len(encoded))
    return from_value(Value.FromString(encoded))


text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.complex_numbers()
    | text
    | st.binary()
    | st.datetimes(timezones=st.just(UTC))
    | st.datetimes(timezones=st.none(), allow_imaginary=False)
    | st.dates()
)
keys = st.integers() | text | st.booleans() | st.binary() | st.tuples(st.integers(), text) | st.none()
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(text, inner)
        | st.dictionaries(keys, inner)
        | st.sets(keys)
        | st.frozensets(keys)
    ),
    max_leaves=20,
)


@given(trees)
@settings(max_examples=200, deadline=None)
def test_plain_objects_come_back_equal_in_type_and_value(obj):
    assert same(round_trip(obj), obj)


@given(
    npst.arrays(
        npst.boolean_dtypes()
        | npst.integer_dtypes(endianness="?")
        | npst.unsigned_integer_dtypes(endianness="?")
        | npst.floating_dtypes(endianness="?", sizes=(16, 32, 64))
        | npst.complex_number_dtypes(endianness="?", sizes=(64, 128)),
        npst.array_shapes(min_dims=0, min_side=0, max_dims=4),
    )
)
@settings(max_examples=150, deadline=None)
def test_arrays_come_back_writable_with_their_elements(array):
    decoded = round_trip(array)
    assert decoded.dtype == array.dtype
    assert decoded.shape == array.shape
    assert decoded.tobytes() == array.tobytes()
    assert decoded.flags.writeable
    assert decoded.flags.owndata


def test_array_that_is_not_contiguous_comes_back_row_major():
    array = np.arange(24).reshape(2, 3, 4).T[::2]
    assert same(round_trip(array), np.ascontiguousarray(array))


@pytest.mark.parametrize(
    "scalar",
    [np.float64(1.5), np.float32("nan"), np.int8(-1), np.uint64(2**64 - 1), np.bool_(True), np.complex64(1j)],
)
def test_numpy_scalar_comes_back_with_its_type(scalar):
    assert same(round_trip(scalar), scalar)


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**4299, -(10**4298)])
def test_integer_at_a_boundary_comes_back_exact(number):
    assert same(round_trip(number), number)


def test_integer_with_too_many_digits_is_refused():
    with pytest.raises(ValueBoundsError, match=r"value\.n is an integer of more than 4,300 digits"):
        to_value({"n": 10**4300})


def test_datetime_with_an_offset_keeps_it():
    moment = datetime(2024, 2, 3, 4, 5, 6, 7, timezone(timedelta(hours=5, minutes=30)))
    decoded = round_trip(moment)
    assert decoded == moment
    assert decoded.utcoffset() == moment.utcoffset()


def test_date_does_not_become_a_datetime():
    assert type(round_trip(date(2024, 2, 3))) is date


def test_map_keeps_the_order_of_its_keys():
    assert list(from_map(to_map({"b": 1, "a": 2, "c": 3}))) == ["b", "a", "c"]


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


theta = Parameter("θ")
vector = ParameterVector("v", 3)


@pytest.mark.parametrize(
    "obj",
    [
        bell(),
        efficient_su2(3, reps=1),
        theta,
        vector[1],
        2 * theta + vector[0].sin(),
        SparsePauliOp(["XX", "ZZ", "XX"], [1, 2j, 0.5]),
        Statevector([1, 0, 0, 1j], dims=(2, 2)) / np.sqrt(2),
        DensityMatrix(np.eye(3) / 3, dims=(3,)),
        Operator(np.eye(8)[:, :4], input_dims=(2, 2), output_dims=(2, 2, 2)),
        SuperOp(np.eye(4)),
        Counts({"0 1": 3, "1 1": 4}),
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_qiskit_object_comes_back_equal(obj):
    decoded = round_trip({"x": [obj]})["x"][0]
    assert type(decoded) is type(obj)
    assert decoded == obj


def test_parameters_of_one_circuit_stay_bindable_by_the_sent_objects():
    circuit = QuantumCircuit(1)
    circuit.rx(theta, 0)
    decoded, parameter = round_trip([circuit, theta])
    assert decoded.assign_parameters({parameter: 0.5}) == circuit.assign_parameters({theta: 0.5})


def test_result_of_aer_comes_back_with_its_counts():
    result = AerSimulator().run(bell(), shots=10, memory=True).result()
    decoded = round_trip(result)
    assert type(decoded) is Result
    assert decoded.to_dict() == result.to_dict()
    assert decoded.get_counts() == result.get_counts()
    assert decoded.get_memory() == result.get_memory()


def test_callable_becomes_none_with_a_warning():
    with pytest.warns(UserWarning, match="bell is callable and cannot be sent"):
        assert round_trip({"f": bell, "x": 1}) == {"f": None, "x": 1}


@pytest.mark.parametrize(
    ("obj", "where"),
    [
        ({"ansatz": [0, 1, 2, {"params": object()}]}, r"inputs\.ansatz\[3\]\.params is a builtins\.object"),
        ({"a b": ({1: object()},)}, r"inputs\['a b'\]\[0\]"),
        ({"a": np.array([object()])}, r"inputs\.a\.items\[0\] is a builtins\.object"),
        ({"a": [bytearray(b"x")]}, r"inputs\.a\[0\] is a builtins\.bytearray"),
    ],
)
def test_object_of_an_unknown_class_is_refused_with_its_path(obj, where):
    with pytest.raises(TypeError, match=where):
        to_map(obj)


def test_text_that_is_not_unicode_is_refused_with_its_path():
    with pytest.raises(ValueError, match=r"value\.a holds half of a surrogate pair"):
        to_value({"a": "\ud800"})


@pytest.mark.parametrize("wrap", [lambda obj: [obj], lambda obj: (obj,), lambda obj: {"k": obj}])
def test_cycle_is_refused_with_its_path(wrap):
    inner: list[object] = []
    inner.append(wrap(inner))
    with pytest.raises(TypeError, match=r"inputs\.x\[0\].* contains itself"):
        to_map({"x": inner})


def nested(depth: int, leaf: object) -> object:
    for _ in range(depth):
        leaf = [leaf]
    return leaf


def test_nesting_up_to_the_bound_is_carried_and_beyond_is_refused():
    # Each list takes two levels; the innermost holds an int, which takes one.
    deepest = (MAX_DEPTH - 1) // 2
    assert round_trip(nested(deepest, 1)) == nested(deepest, 1)
    assert round_trip(nested(deepest, [])) == nested(deepest, [])
    assert round_trip(nested(deepest, 1j)) == nested(deepest, 1j)
    assert round_trip(nested(deepest - 1, {"k": 1})) == nested(deepest - 1, {"k": 1})
    for beyond in (nested(deepest + 1, 1), nested(deepest - 1, {"k": 1j}), nested(2_000, 1)):
        with pytest.raises(ValueBoundsError, match="80 message levels"):
            to_value(beyond)


def test_dicts_with_mixed_keys_take_linear_time():
    tree: object = 0
    for _ in range(12):
        tree = {"a": tree, 1: None}
    assert round_trip(tree) == tree


def test_too_many_values_are_refused():
    # Sent by hand: an empty Value is two bytes, so that a megabyte holds more of them than are allowed.
    value = Value()
    value.list_value.values.extend([Value()] * MAX_VALUES)
    with pytest.raises(ValueBoundsError, match="262,144 values"):
        check_value(value, value.ByteSize())


def test_value_beyond_a_megabyte_is_refused():
    with pytest.raises(ValueBoundsError, match="1,048,576"):
        to_value(b"x" * MAX_INLINE_BYTES)
    to_value(b"x" * (MAX_INLINE_BYTES - 4))


def hostile_values() -> dict[str, Value]:
    values = {
        "no kind": Value(),
        "kind missing in a list": to_value([1]),
        "kind missing in a map": to_value({"a": 1}),
        "double key": to_value({"a": 1}),
        "big int with a sign": Value(big_int_value="+99999999999999999999"),
        "big int with a zero": Value(big_int_value="099999999999999999999"),
        "big int in other digits": Value(big_int_value="٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩٩"),
        "big int with a newline": Value(big_int_value="99999999999999999999\n"),
        "big int that is small": Value(big_int_value="9223372036854775807"),
        "big int that is huge": Value(big_int_value="9" * 4_301),
        "tag without type": Value(tagged_value=TaggedValue(value=Value(int_value=1))),
        "tag without value": Value(tagged_value=TaggedValue(type="python.tuple")),
        "circuit without source": Value(),
        "blob": Value(),
        "year 10000": Value(),
        "negative nanos": Value(),
        "array of no type": Value(),
        "array of unknown type": Value(),
        "array too short": Value(),
        "array too long": Value(),
        "array with a negative dimension": Value(),
        "array whose product wraps to its size": Value(),
        "array that is empty and cannot be addressed": Value(),
        "array of too many dimensions": Value(),
        "array of strange booleans": Value(),
    }
    values["kind missing in a list"].list_value.values.add()
    values["kind missing in a map"].map_value.entries.add(key="b")
    values["double key"].map_value.entries.add(key="a", value=Value(int_value=2))
    values["circuit without source"].circuit_value.SetInParent()
    values["blob"].blob_value.sha256 = "0" * 64
    values["year 10000"].timestamp_value.seconds = 253_402_300_800
    values["negative nanos"].timestamp_value.nanos = -1

    def array(name: str, element_type: int, shape: list[int], data: bytes) -> None:
        values[name].array_value.element_type = element_type
        values[name].array_value.shape.extend(shape)
        values[name].array_value.data = data

    array("array of no type", 0, [1], b"\0")
    array("array of unknown type", 99, [1], b"\0")
    array("array too short", ELEMENT_TYPE_FLOAT64, [2], b"\0" * 15)
    array("array too long", ELEMENT_TYPE_FLOAT64, [2], b"\0" * 17)
    array("array with a negative dimension", ELEMENT_TYPE_INT8, [-1, -1], b"\0")
    array("array whose product wraps to its size", ELEMENT_TYPE_INT8, [2**32, 2**32], b"")
    array("array that is empty and cannot be addressed", ELEMENT_TYPE_INT8, [0, 2**62, 2**62], b"")
    array("array of too many dimensions", ELEMENT_TYPE_INT8, [1] * 65, b"\0")
    array("array of strange booleans", ELEMENT_TYPE_BOOL, [2], b"\1\2")
    return values


@pytest.mark.parametrize("name", hostile_values())
def test_hostile_value_is_refused(name):
    value = hostile_values()[name]
    with pytest.raises(ValueBoundsError):
        check_value(value, value.ByteSize())
    with pytest.raises(ValueBoundsError):
        from_value(value)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_that_parse_are_decoded_or_refused(data):
    from google.protobuf.message import DecodeError

    try:
        value = Value.FromString(data)
    except DecodeError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from_value(value)
        except (ValueError, ImportError):
            return


@pytest.mark.parametrize(
    ("tag", "plain"),
    [
        ("python.tuple", 1),
        ("python.set", [1, 1]),
        ("python.set", [[1]]),
        ("python.dict", [[1, 2], [1, 3]]),
        ("python.dict", [[[1], 2]]),
        ("python.dict", [[1, 2, 3]]),
        ("python.dict", {"a": 1}),
        ("python.date", "tomorrow"),
        ("python.datetime", 5),
        ("numpy.scalar", [1]),
        ("numpy.scalar", np.zeros(2)),
        ("qiskit.Result", {}),
        ("qiskit.ParameterExpression", bell()),
        ("qiskit.SparsePauliOp", {"paulis": ["XX", "Q"], "coeffs": [1, 2]}),
        ("qiskit.Statevector", {"data": [1, 0], "dims": [3]}),
    ],
)
def test_tagged_value_of_the_wrong_form_is_refused(tag, plain):
    value = to_value(Tagged(tag, plain))
    with pytest.raises(ValueError, match="malformed"):
        from_value(value)


def test_unknown_tag_comes_back_as_it_came():
    obj = Tagged("other.type", {"a": [1, 2]})
    assert round_trip(obj) == obj


def qpy_of(*circuits: QuantumCircuit, version: int | None = None) -> bytes:
    import io

    buffer = io.BytesIO()
    qpy.dump(list(circuits), buffer, version=version)
    return buffer.getvalue()


def with_version(data: bytes, version: int) -> bytes:
    return data[:6] + bytes([version]) + data[7:]


def circuit_value(data: bytes) -> Value:
    value = Value()
    value.circuit_value.qpy = data
    return value


@pytest.mark.parametrize("version", [13, 14, 15, 16, 17])
def test_older_qpy_from_13_on_is_read(version):
    assert from_value(circuit_value(qpy_of(bell(), version=version))) == bell()


@pytest.mark.parametrize("version", range(13))
def test_qpy_older_than_13_never_reaches_the_reader(version, monkeypatch):
    monkeypatch.setattr(qpy, "load", lambda *_: pytest.fail("reached Qiskit's reader"))
    with pytest.raises(ValueError, match=f"QPY version {version} is refused"):
        from_value(circuit_value(with_version(qpy_of(bell()), version)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"QISKIT",
        b"not a circuit at all, but long",
        qpy_of(bell())[:40],
        qpy_of(bell())[:-10],
        qpy_of(bell(), bell()),
        qpy_of(),
        with_version(qpy_of(bell()), 255),
        qpy_of(bell())[:20] + b"\xff" * 8 + qpy_of(bell())[28:],
    ],
    ids=["empty", "magic", "noise", "short header", "short", "two", "none", "future", "offset"],
)
def test_malformed_qpy_is_a_value_error(data):
    with pytest.raises(ValueError):
        from_value(circuit_value(data))


def test_qpy_that_announces_absurd_sizes_is_refused_before_it_is_read():
    data = bytearray(qpy_of(bell(), version=15))
    # Without a table the circuit's header follows the file's 20 bytes: name size, phase, then the qubits.
    struct.pack_into("!I", data, 25, 2**31)
    with pytest.raises(ValueError, match="2,147,483,648 bits"):
        from_value(circuit_value(bytes(data)))


def test_openqasm2_is_read_and_cannot_include_files():
    value = Value()
    value.circuit_value.openqasm2 = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; h q[0];'
    assert from_value(value).count_ops() == {"h": 1}
    value.circuit_value.openqasm2 = 'OPENQASM 2.0; include "/etc/passwd";'
    with pytest.raises(ValueError, match="openqasm2"):
        from_value(value)


def test_openqasm3_is_read_or_names_the_package_that_reads_it():
    value = Value()
    value.circuit_value.openqasm3 = 'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; h q[0];'
    try:
        import qiskit_qasm3_import  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="qiskit-qasm3-import"):
            from_value(value)
    else:
        assert from_value(value).count_ops() == {"h": 1}


def test_map_value_is_checked_like_a_value():
    entries = MapValue()
    entries.entries.add(key="a", value=Value(int_value=1))
    entries.entries.add(key="a", value=Value(int_value=2))
    with pytest.raises(ValueBoundsError, match="twice"):
        from_map(entries)


def test_key_of_inputs_that_is_not_text_is_refused():
    with pytest.raises(TypeError, match="inputs has the key 1"):
        to_map({1: 2})


WITHOUT_QISKIT = """
import sys
sys.modules["qiskit"] = None
from aerlock.codec import from_value, to_value
import aerlock.jsonview
assert not {"numpy", "grpc"} & set(sys.modules), "codec imports too much"
assert from_value(to_value({"a": (1, {2})})) == {"a": (1, {2})}
import numpy as np
assert (from_value(to_value(np.eye(2))) == np.eye(2)).all()
from aerlock.v1.values_pb2 import Value
value = Value()
value.circuit_value.openqasm2 = "OPENQASM 2.0;"
try:
    from_value(value)
except ImportError as error:
    assert "pip install qiskit" in str(error), error
else:
    sys.exit("read a circuit without Qiskit")
"""


def test_codec_works_without_qiskit_and_says_what_needs_it():
    subprocess.run([sys.executable, "-c", WITHOUT_QISKIT], check=True, timeout=60)
