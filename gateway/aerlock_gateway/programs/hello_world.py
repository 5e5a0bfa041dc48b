"""Runs random circuits and publishes their counts: the first program to try."""

import random
from typing import Any

from qiskit import QuantumCircuit, transpile
from qiskit.circuit.random import random_circuit

NUM_QUBITS = 5
DEPTH = 4
SHOTS = 1024


def prepare_circuit(backend: Any) -> QuantumCircuit:
    """Returns a new random circuit in the gates of the backend."""
    circuit = random_circuit(NUM_QUBITS, DEPTH, measure=True, seed=random.randint(0, 1000))
    return transpile(circuit, backend)


def main(backend: Any, user_messenger: Any, iterations: int = 1) -> str:
    """Publishes the counts of one circuit per iteration."""
    for iteration in range(iterations):
        job = backend.run(prepare_circuit(backend), shots=SHOTS)
        counts = job.result().get_counts()
        user_messenger.publish({"iteration": iteration, "counts": dict(counts)})
    return "All done!"
