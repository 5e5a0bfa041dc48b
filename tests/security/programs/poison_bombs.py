# Reads what unpacks to far more than a cell has: zlib, npz, QPY, JSON, integers. Expected: true, each fails
# within its own limits.
import io
import json
import zipfile
import zlib

import numpy
from qiskit import QuantumCircuit, qpy

from aerlock.v1.values_pb2 import Value


def main(backend, user_messenger, **kwargs):
    packer = zlib.compressobj(1)
    bomb = b"".join([packer.compress(bytes(1 << 24)) for _ in range(40)]) + packer.flush()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file, file.open("a.npy", "w") as member:
        numpy.lib.format.write_array_header_1_0(
            member, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
        )
    circuit = io.BytesIO()
    qpy.dump(QuantumCircuit(1), circuit)
    huge = circuit.getvalue().replace(b"\0\0\0\1", b"\xff\xff\xff\xff")
    attempts = {
        "zlib": lambda: zlib.decompress(bomb),
        "npz": lambda: numpy.load(io.BytesIO(archive.getvalue()))["a"],
        "qpy": lambda: qpy.load(io.BytesIO(huge)),
        "json": lambda: json.loads("[" * 1_000_000),
        "digits": lambda: int("9" * 1_000_000),
        "value": lambda: Value.FromString(b"\x42\xff\xff\xff\xff\x0f"),
    }
    unpacked = []
    for name, attempt in attempts.items():
        try:
            attempt()
            unpacked.append(name)
        except BaseException as error:
            user_messenger.publish([name, type(error).__name__])
    return unpacked
