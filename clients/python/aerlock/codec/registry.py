"""The table of the richer types, and how a program or a client adds its own classes to it."""

# ruff: noqa: ANN401  (an object of any type may come)

from typing import Any, Final

from aerlock.codec import qiskit_types
from aerlock.codec.tagged import TaggedType
from aerlock.codec.types import circuits, numpy, parameters, python, times


def _qiskit(name, module, to_plain, from_plain):
    return TaggedType(f"qiskit.{name}", (f"qiskit.{module}.{name}",), to_plain, from_plain)


TAGGED_TYPES: Final = (
    *python.TYPES,
    *times.TYPES,
    *numpy.TYPES,
    *parameters.TYPES,
    *circuits.TYPES,
    _qiskit("Counts", "result.counts", dict, qiskit_types.counts_from_plain),
    _qiskit("Result", "result.result", qiskit_types.result_to_plain, qiskit_types.result_from_plain),
    _qiskit(
        "SparsePauliOp",
        "quantum_info.operators.symplectic.sparse_pauli_op",
        lambda op: {"paulis": op.paulis.to_labels(), "coeffs": op.coeffs},
        qiskit_types.sparse_pauli_op_from_plain,
    ),
    _qiskit(
        "Statevector",
        "quantum_info.states.statevector",
        qiskit_types.state_to_plain,
        qiskit_types.statevector_from_plain,
    ),
    _qiskit(
        "DensityMatrix",
        "quantum_info.states.densitymatrix",
        qiskit_types.state_to_plain,
        qiskit_types.density_matrix_from_plain,
    ),
    _qiskit(
        "Operator",
        "quantum_info.operators.operator",
        qiskit_types.operator_to_plain,
        qiskit_types.operator_from_plain,
    ),
    _qiskit(
        "SuperOp",
        "quantum_info.operators.channel.superop",
        qiskit_types.operator_to_plain,
        qiskit_types.super_op_from_plain,
    ),
)

BY_TAG: Final[dict[str, TaggedType]] = {tagged.tag: tagged for tagged in TAGGED_TYPES}
BY_CLASS: Final[dict[str, TaggedType]] = {path: tagged for tagged in TAGGED_TYPES for path in tagged.classes}
