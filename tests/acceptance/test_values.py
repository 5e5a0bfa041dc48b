"""What goes into a program comes out of it equal, in type and value."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

ECHO = """
def main(backend, user_messenger, value):
    user_messenger.publish(value)
    return value
"""


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell", metadata={"purpose": "test"})
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def parametrised() -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("theta") * 2, 0)
    return circuit


VALUES = {
    "none in a list": [None, True, False],
    "integers": [0, -1, 2**63 - 1, -(2**63), 2**200],
    "floats": [0.5, -0.0, float("inf")],
    "strings": ["", "é\n\0", "x" * 10_000],
    "bytes": b"\x00\xff",
    "complex": 1.5 - 2j,
    "nested": {"b": [{"c": (1, 2)}], "a": {"z": 1, "y": 2}},
    "other keys": {1: "one", "1": "also one", (0, 1): "pair"},
    "sets": {frozenset({1, 2})},
    "times": [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), date(2026, 1, 2)],
    "operator": SparsePauliOp(["XX", "ZZ"], [0.5, 1j]),
    "circuit": bell(),
    "circuits": [bell(), parametrised()],
}


@pytest.fixture(scope="module")
def echo(stack):
    from aerlock import RuntimeService

    with RuntimeService(address=stack.address, token=stack.token) as service:
        metadata = {"name": "echo", "description": "Returns its input.", "max_execution_time": 60}
        program_id = service.upload_program(ECHO, metadata=metadata)

        def run(value):
            options = {"backend_name": "aer_simulator"}
            return service.run(program_id=program_id, options=options, inputs={"value": value})

        yield run


@pytest.mark.parametrize("name", VALUES)
def test_value_comes_back_equal_as_interim_and_as_final_result(echo, name):
    value = VALUES[name]
    job = echo(value)
    final = job.result(timeout=60)
    (interim,) = job.interim_results()
    for came in (final, interim, job.inputs["value"]):
        assert type(came) is type(value)
        assert came == value


def test_sign_of_zero_and_order_of_keys_survive(echo):
    value = {"b": -0.0, "a": {"z": 1, "y": 2}}
    assert repr(echo(value).result(timeout=60)) == repr(value)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float32", "complex128"])
def test_array_comes_back_with_shape_and_type(echo, dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    came = echo(array).result(timeout=60)
    assert came.dtype == array.dtype
    assert came.shape == array.shape
    assert (came == array).all()
