# Makes a circuit of gates without end. Expected: the memory limit or the time limit.
from qiskit import QuantumCircuit


def main(backend, user_messenger, **kwargs):
    circuit = QuantumCircuit(1)
    while True:
        circuit.compose(circuit if circuit.size() else gate(circuit), inplace=True)


def gate(circuit):
    circuit.h(0)
    return circuit
