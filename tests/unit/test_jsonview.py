"""The JSON view of Values."""

import json
import re
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit.result import Counts

from aerlock import jsonview
from aerlock.codec import Tagged, check_value, to_value
from aerlock.v1.values_pb2 import ELEMENT_TYPE_INT8, Value

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(json_values)
def test_plain_json_is_its_own_view(obj):
    assert json.loads(jsonview.to_json(to_value(obj))) == obj


@pytest.mark.parametrize(
    ("obj", "view"),
    [
        (2**100, 2**100),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (1 + 2j, {"__type__": "complex", "__value__": [1.0, 2.0]}),
        (b"secret", {"__type__": "bytes"}),
        (QuantumCircuit(1), {"__type__": "QuantumCircuit"}),
        (SparsePauliOp("X"), {"__type__": "qiskit.SparsePauliOp"}),
        (Tagged("other.type", "secret"), {"__type__": "other.type"}),
        ((1, (2,)), [1, [2]]),
        (frozenset({1}), [1]),
        (np.float64(1.5), 1.5),
        (np.bool_(True), True),
        (Counts({"00": 3}), {"00": 3}),
        ({2: "a", "b": 2, None: 3}, {"2": "a", "b": 2, "null": 3}),
        ({1: "a", "1": "b"}, [[1, "a"], ["1", "b"]]),
        ({(1, 2): "a"}, [[[1, 2], "a"]]),
        (np.arange(6).reshape(2, 3), [[0, 1, 2], [3, 4, 5]]),
        (np.array([1j], dtype="complex64"), [{"__type__": "complex", "__value__": [0.0, 1.0]}]),
        (np.array([1, np.inf], dtype="float16"), [1.0, "Infinity"]),
        (np.array([True]), [True]),
        (np.array(5), 5),
        (np.zeros((2, 0)), [[], []]),
        (np.array([["ab", ""], ["é", "d"]]), [["ab", ""], ["é", "d"]]),
        (np.array("text"), "text"),
        (np.str_("text"), "text"),
        (np.array(["\ud800"]), {"__type__": "numpy.str"}),
        (np.arange(24).reshape(4, 3, 2).T, np.arange(24).reshape(4, 3, 2).T.tolist()),
        (np.array([1, 2], dtype=">i4"), [1, 2]),
        (np.longlong(5), 5),
        (OrderedDict(b=1, a=(2,)), {"b": 1, "a": [2]}),
        (Counter({3: 2}), {"3": 2}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (deque([1, 2]), [1, 2]),
        (datetime(2024, 7, 3, tzinfo=ZoneInfo("Europe/Berlin")), "2024-07-03T00:00:00+02:00"),
        (datetime(2024, 7, 3), "2024-07-03T00:00:00"),
        (QuantumCircuit(1, metadata={1: 2}), {"__type__": "QuantumCircuit"}),
        (Tagged("numpy.fortran", "x"), {"__type__": "numpy.fortran"}),
        (Tagged("numpy.str", np.array([0x110000], "u4")), {"__type__": "numpy.str"}),
        (Tagged("python.deque", {}), {"__type__": "python.deque"}),
        (np.zeros(10_000), [0.0] * 10_000),
        (np.zeros(10_001), {"__type__": "ndarray"}),
    ],
    ids=lambda value: re.sub(" at 0x[0-9a-f]+", "", repr(value)),
)
def test_view_of_python_object(obj, view):
    value = to_value(obj)
    assert jsonview.to_python(value) == view
    assert json.loads(jsonview.to_json(value)) == view


def test_empty_array_of_huge_dimensions_is_not_expanded():
    value = Value()
    value.array_value.element_type = ELEMENT_TYPE_INT8
    value.array_value.shape.extend([10_000, 10_000, 0])
    check_value(value, value.ByteSize())
    assert jsonview.to_python(value) == {"__type__": "ndarray"}


def test_timestamp_is_its_rfc3339_string():
    from datetime import UTC, datetime

    value = to_value(datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert jsonview.to_python(value) == "2024-02-03T04:05:06Z"


def test_view_loads_neither_numpy_nor_qiskit():
    check = "import sys, aerlock.jsonview; sys.exit(bool({'numpy', 'qiskit', 'grpc'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)
