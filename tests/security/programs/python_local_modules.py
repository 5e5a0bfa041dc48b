# Puts modules of its own in the place of Qiskit's, Aerlock's and Python's, for what comes after it.
# Expected: it cuts only itself off, and no result of it is taken for one of another kind.
import sys
import types


class Mine(types.ModuleType):
    def __getattr__(self, name):
        return lambda *args, **kwargs: 7


def main(backend, user_messenger, **kwargs):
    for name in ("qiskit", "aerlock", "aerlock.codec", "json", "traceback", "os.path"):
        sys.modules[name] = Mine(name)
    import json

    import qiskit

    return [json.loads("1"), qiskit.QuantumCircuit(2)]
