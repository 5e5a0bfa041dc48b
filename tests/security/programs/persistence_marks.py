# Leaves marks wherever it can and looks for those of a run before. Expected: an empty list, each time.
import builtins
import os
import sys

import qiskit

MARK = "left-behind"


def main(backend, user_messenger, **kwargs):
    found = [path for path in ("/tmp/mark", "/dev/shm/mark") if os.path.exists(path)]
    found += [module.__name__ for module in (builtins, qiskit, sys) if hasattr(module, "mark")]
    found += [name for name in ("MARK",) if name in os.environ]
    found += ["umask"] if os.umask(0o777) == 0o777 else []
    for path in ("/tmp/mark", "/dev/shm/mark"):
        with open(path, "w") as file:
            file.write(MARK)
    for module in (builtins, qiskit, sys):
        module.mark = MARK
    os.environ["MARK"] = MARK
    backend.set_options(shots=1)
    return found
