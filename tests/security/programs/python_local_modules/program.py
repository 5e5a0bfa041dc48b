# Brings modules with the names of Qiskit, Aerlock and the standard library. Expected: its result; they are its own.
import qiskit


def main(backend, user_messenger, **kwargs):
    import aerlock
    import json
    import zipapp

    return [hasattr(module, "MINE") for module in (qiskit, aerlock, json, zipapp)]
