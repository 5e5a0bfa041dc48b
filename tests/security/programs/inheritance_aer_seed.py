# Runs one circuit without a seed; run twice, the outcomes may not be the same. Expected: different results.
from qiskit import QuantumCircuit


def main(backend, user_messenger, **kwargs):
    circuit = QuantumCircuit(60)
    circuit.h(range(60))
    circuit.measure_all()
    return {"aer": next(iter(backend.run(circuit, shots=1, method="stabilizer").result().get_counts()))}
