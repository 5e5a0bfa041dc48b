"""The backends by name: one per method of Qiskit Aer.

Making one and building its Target starts no thread and runs no circuit, so that
it may be done before a fork.
"""

import functools
from dataclasses import dataclass
from typing import Final

from qiskit_aer import AerSimulator

from aerlock.backend_info import BackendInfo
from aerlock.program.backend import ProgramBackend


@dataclass(frozen=True, slots=True)
class BackendRecipe:
    """How to make a backend: Aer's name of the method, and a sentence for people."""

    method: str
    description: str


BACKENDS: Final = {
    "aer_simulator": BackendRecipe("automatic", "Picks the method that suits each circuit."),
    "aer_simulator_statevector": BackendRecipe("statevector", "Dense state vector."),
    "aer_simulator_density_matrix": BackendRecipe("density_matrix", "Dense density matrix, for noise."),
    "aer_simulator_stabilizer": BackendRecipe("stabilizer", "Clifford circuits of many qubits."),
    "aer_simulator_matrix_product_state": BackendRecipe(
        "matrix_product_state", "Circuits of little entanglement."
    ),
    "aer_simulator_extended_stabilizer": BackendRecipe(
        "extended_stabilizer", "Clifford circuits with a few other gates, approximately."
    ),
    "aer_simulator_unitary": BackendRecipe("unitary", "The unitary of a circuit without measurement."),
    "aer_simulator_superop": BackendRecipe("superop", "The superoperator of a circuit."),
}


@functools.cache
def get_backend(name: str) -> ProgramBackend:
    """Gives the one backend of this name in this process.

    Raises ValueError that lists the names there are.
    """
    if name not in BACKENDS:
        raise ValueError(f"there is no backend {name!r}: choose one of {', '.join(BACKENDS)}")
    return ProgramBackend(AerSimulator(method=BACKENDS[name].method), name)


def list_backends() -> list[BackendInfo]:
    """Describes every backend, by name."""
    return [
        BackendInfo(name, get_backend(name).num_qubits, recipe.description)
        for name, recipe in sorted(BACKENDS.items())
    ]
