# Simulates more qubits than memory holds. Expected: an error of the program or the simulator, and no harm.
from qiskit import QuantumCircuit


def main(backend, user_messenger, **kwargs):
    circuit = QuantumCircuit(34)
    circuit.h(range(34))
    circuit.save_statevector()
    return backend.run(circuit, method="statevector").result().get_statevector()
