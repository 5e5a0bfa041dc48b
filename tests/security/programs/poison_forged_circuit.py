# Writes circuits that are pickles, compressed bombs and noise. Expected: completed, or refused as invalid.
import os
import pickle
import zlib

from attack import write_frame

from aerlock import codec
from aerlock_executor.v1.cell_pb2 import CellFrame


class Bomb:
    def __reduce__(self):
        return os.abort, ()


def main(backend, user_messenger, **kwargs):
    from qiskit import QuantumCircuit

    for content in (pickle.dumps(Bomb()), zlib.compress(bytes(200 << 20)), b"QISKIT" + os.urandom(200)):
        value = codec.to_value(QuantumCircuit(1))
        value.circuit_value.qpy = content
        write_frame(CellFrame(interim_result=value).SerializeToString())
    return "written"
