"""Parameters, their vectors, and expressions of them."""

import pytest
from exact import round_trip
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from aerlock.codec import Tagged, from_value, to_value

THETA = Parameter("θ")
VECTOR = ParameterVector("v", 3)
UUID = "12345678-1234-5678-1234-567812345678"


def test_parameters_of_one_document_stay_one():
    circuit = QuantumCircuit(1)
    circuit.rx(VECTOR[0] + THETA, 0)
    copy = round_trip({"list": [THETA, VECTOR[0], VECTOR[2]], "vector": VECTOR, "sum": VECTOR[1] + THETA, "c": circuit})
    theta, first, last = copy["list"]
    assert (theta, first, last) == (THETA, VECTOR[0], VECTOR[2])
    assert copy["vector"] == first.vector == last.vector
    assert list(copy["vector"]) == list(VECTOR)
    assert copy["sum"] == VECTOR[1] + THETA
    assert copy["sum"].parameters == {VECTOR[1], THETA}
    assert copy["c"].parameters == {first, theta}
    bound = copy["c"].assign_parameters({first: 0.25, theta: 0.5})
    assert bound == circuit.assign_parameters({VECTOR[0]: 0.25, THETA: 0.5})


@pytest.mark.parametrize(
    "expression",
    [
        THETA * 2,
        2 - THETA,
        1 / THETA,
        2**THETA,
        THETA**2.5,
        -THETA,
        THETA * (2 + 3j),
        1j / THETA,
        THETA.sin().exp().log().abs().arctan().conjugate().sign(),
        (THETA + VECTOR[0]) * (THETA - VECTOR[1]) / VECTOR[2],
        THETA - THETA,
        THETA * 0,
        (THETA + 1).bind({THETA: 2}),
        (THETA + 1j).bind({THETA: 2}),
        (THETA * 2).subs({THETA: VECTOR[1] + 1}),
        sum(VECTOR, start=THETA),
        sum([THETA] * 60, start=VECTOR[0]),
    ],
    ids=str,
)
def test_expression_comes_back_equal(expression):
    copy = round_trip([expression])[0]
    assert type(copy) is type(expression)
    assert copy == expression
    assert copy.parameters == expression.parameters


def test_element_of_a_vector_that_was_shortened_is_refused():
    vector = ParameterVector("w", 3)
    element = vector[2]
    vector.resize(1)
    with pytest.raises(TypeError, match="its vector has been made shorter"):
        to_value(element)


@pytest.mark.parametrize(
    ("tag", "plain"),
    [
        ("qiskit.Parameter", {"name": "a", "uuid": "no"}),
        ("qiskit.ParameterVector", {"name": "a", "length": 10**12, "uuid": UUID}),
        ("qiskit.ParameterVectorElement", {"name": "a", "length": 3, "uuid": UUID, "index": 3}),
        ("qiskit.ParameterVectorElement", {"name": "a", "length": 3, "uuid": UUID, "index": -1}),
        ("qiskit.ParameterExpression", [1, "+"]),
        ("qiskit.ParameterExpression", [1, 2]),
        ("qiskit.ParameterExpression", [1, "eval"]),
        ("qiskit.ParameterExpression", [QuantumCircuit(1)]),
        ("qiskit.ParameterExpression", [True]),
        ("qiskit.ParameterExpression", []),
    ],
)
def test_parameter_of_the_wrong_form_is_refused(tag, plain):
    with pytest.raises(ValueError, match="malformed"):
        from_value(to_value(Tagged(tag, plain)))


def test_vectors_of_a_document_are_bounded_together():
    plain = [
        Tagged("qiskit.ParameterVector", {"name": f"v{n}", "length": 60_000, "uuid": UUID}) for n in range(2)
    ]
    with pytest.raises(ValueError, match="more than 100,000 elements"):
        from_value(to_value(plain))
