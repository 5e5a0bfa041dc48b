"""What counts as one final result that was given twice."""

import math
from collections import Counter, OrderedDict

import numpy as np
import pytest
from qiskit import QuantumCircuit

from aerlock.codec import to_value
from aerlock_executor.cell.same_value import are_same

BELL = QuantumCircuit(2)
BELL.h(0)
BELL.cx(0, 1)
# Two that hash alike stand in the order in which they came.
SAME = [
    (None, None),
    (math.nan, math.nan),
    ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
    ({0, 8}, {8, 0}),
    ([frozenset({0, 8}), {1: {0, 8}, 2: 3}], [frozenset({8, 0}), {2: 3, 1: {8, 0}}]),
    (Counter(a=1, b=2), Counter(b=2, a=1)),
    (np.arange(10), np.arange(10)),
    (BELL, BELL.copy()),
]
DIFFERENT = [
    (None, False),
    (1, True),
    (1, 1.0),
    ([1, 2], [2, 1]),
    ((1, 2), [1, 2]),
    ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    ({0, 8}, {0, 9}),
    ({0, 8}, frozenset({0, 8})),
    (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
    ([{"a": 1}, {"b": 2}], [{"b": 2}, {"a": 1}]),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_results_are_the_same(one, other):
    assert are_same(to_value(one), to_value(other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_results_are_not(one, other):
    assert not are_same(to_value(one), to_value(other))


def test_comparing_changes_neither():
    one, other = to_value({"a": 1, "b": {8, 0}}), to_value({"b": {0, 8}, "a": 1})
    before = one.SerializeToString(), other.SerializeToString()
    assert are_same(one, other)
    assert (one.SerializeToString(), other.SerializeToString()) == before
