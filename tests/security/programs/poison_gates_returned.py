# Returns a circuit of ten million gates. Expected: its result, or a limit of its own.
from qiskit import QuantumCircuit


def main(backend, user_messenger, **kwargs):
    circuit = QuantumCircuit(1)
    circuit.h(0)
    while circuit.size() < 10_000_000:
        circuit = circuit.compose(circuit)
    return circuit
