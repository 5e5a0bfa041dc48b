"""One small circuit through everything that a program commonly touches, so that its first is not slow."""

from qiskit import QuantumCircuit, transpile

from aerlock import codec
from aerlock.program.backends import get_backend

_BACKEND_NAME = "aer_simulator"


def run_sample() -> None:
    """Builds, transpiles, simulates and encodes one circuit; raises what Qiskit or Aer raise."""
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    backend = get_backend(_BACKEND_NAME)
    counts = backend.run(transpile(circuit, backend), shots=16).result().get_counts()
    codec.from_value(codec.to_value({"counts": counts, "circuit": circuit}))
