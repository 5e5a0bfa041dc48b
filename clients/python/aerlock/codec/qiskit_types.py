"""The plain forms of Qiskit's classes; Qiskit itself is imported only when one comes."""

# ruff: noqa: ANN401  (an object of any type may come)

import enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.result import Counts, Result


def counts_from_plain(plain: dict[str, Any]) -> "Counts":
    """Makes Counts of {bit string: shots}; times and register sizes do not travel."""
    from qiskit.result import Counts

    return Counts(plain)


def result_to_plain(result: "Result") -> Any:
    """Gives the result's own dict, with enums as their numbers."""
    return _without_enums(result.to_dict())


def result_from_plain(plain: dict[str, Any]) -> "Result":
    """Makes a Result of its own dict."""
    from qiskit.result import Result
    from qiskit.result.models import MeasLevel

    for experiment in plain["results"]:
        if experiment.get("meas_level") is not None:
            experiment["meas_level"] = MeasLevel(experiment["meas_level"])
    return Result.from_dict(plain)


def _without_enums(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _without_enums(value) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_without_enums(item) for item in plain]
    return plain.value if isinstance(plain, enum.Enum) else plain


def circuit_of_expression(expression: Any) -> "QuantumCircuit":
    """Wraps a parameter into a circuit, since QPY holds circuits: one RZ turned by it."""
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(1)
    circuit.rz(expression, 0)
    return circuit


def expression_of_circuit(circuit: "QuantumCircuit") -> Any:
    """Gives back the angle of the one RZ."""
    (instruction,) = circuit.data
    (expression,) = instruction.operation.params
    return expression


def sparse_pauli_op_from_plain(plain: dict[str, Any]) -> Any:
    """Makes a SparsePauliOp of labels and coefficients, as they are: nothing is merged."""
    from qiskit.quantum_info import SparsePauliOp

    return SparsePauliOp(plain["paulis"], plain["coeffs"])


def state_to_plain(state: Any) -> dict[str, Any]:
    """Gives data and subsystem sizes of a Statevector or DensityMatrix."""
    return {"data": state.data, "dims": list(state.dims())}


def statevector_from_plain(plain: dict[str, Any]) -> Any:
    """Makes a Statevector of its amplitudes."""
    from qiskit.quantum_info import Statevector

    return Statevector(plain["data"], dims=tuple(plain["dims"]))


def density_matrix_from_plain(plain: dict[str, Any]) -> Any:
    """Makes a DensityMatrix of its elements."""
    from qiskit.quantum_info import DensityMatrix

    return DensityMatrix(plain["data"], dims=tuple(plain["dims"]))


def operator_to_plain(operator: Any) -> dict[str, Any]:
    """Gives data and subsystem sizes of an Operator or SuperOp."""
    return {
        "data": operator.data,
        "input_dims": list(operator.input_dims()),
        "output_dims": list(operator.output_dims()),
    }


def operator_from_plain(plain: dict[str, Any]) -> Any:
    """Makes an Operator of its matrix."""
    from qiskit.quantum_info import Operator

    return Operator(
        plain["data"], input_dims=tuple(plain["input_dims"]), output_dims=tuple(plain["output_dims"])
    )


def super_op_from_plain(plain: dict[str, Any]) -> Any:
    """Makes a SuperOp of its matrix."""
    from qiskit.quantum_info import SuperOp

    return SuperOp(
        plain["data"], input_dims=tuple(plain["input_dims"]), output_dims=tuple(plain["output_dims"])
    )
