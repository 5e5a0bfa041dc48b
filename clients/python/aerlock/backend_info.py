"""What a list of backends says of one; apart from the backends, so that a client needs no Qiskit for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """A simulator to run programs on."""

    name: str
    num_qubits: int
    """The most qubits that a circuit may have."""
    description: str
