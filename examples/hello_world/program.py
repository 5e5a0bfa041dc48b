"""Runs random circuits and publishes the counts of each as an interim result."""

from qiskit import transpile
from qiskit.circuit.random import random_circuit


def main(backend, user_messenger, iterations=1, seed=None):
    """Runs ``iterations`` random circuits of 5 qubits on ``backend``."""
    for iteration in range(iterations):
        circuit = random_circuit(5, 4, measure=True, seed=None if seed is None else seed + iteration)
        counts = backend.run(transpile(circuit, backend)).result().get_counts()
        user_messenger.publish({"iteration": iteration, "counts": dict(counts)})
    return "All done!"
