# Draws from every source of randomness there is; run twice, none may repeat. Expected: different results.
import random
import uuid

import numpy
from qiskit.quantum_info import random_unitary


def main(backend, user_messenger, **kwargs):
    return {
        "random": random.random(),
        "numpy": float(numpy.random.random()),
        "uuid": str(uuid.uuid4()),
        "qiskit": float(random_unitary(2).data[0, 0].real),
    }
