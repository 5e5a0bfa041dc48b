"""What `import aerlock` offers, and what it must not load."""

import subprocess
import sys

import aerlock

PUBLIC = [
    "AerlockError",
    "BackendInfo",
    "BackendNotFoundError",
    "Credentials",
    "InputValueError",
    "JobStatus",
    "NotAuthorizedError",
    "ParameterNamespace",
    "QuotaExceededError",
    "RuntimeInvalidStateError",
    "RuntimeJob",
    "RuntimeJobFailureError",
    "RuntimeJobMaxTimeoutError",
    "RuntimeJobNotFound",
    "RuntimeJobTimeoutError",
    "RuntimeOptions",
    "RuntimeProgram",
    "RuntimeProgramNotFound",
    "RuntimeService",
    "ServerUnavailableError",
    "__version__",
    "local",
]


def test_public_names_are_frozen():
    assert aerlock.__all__ == PUBLIC
    assert set(PUBLIC) == set(dir(aerlock))


def test_every_public_name_can_be_imported():
    for name in PUBLIC:
        assert getattr(aerlock, name) is not None


def test_import_loads_no_grpc_numpy_or_qiskit():
    check = "import sys, aerlock; sys.exit(bool({'grpc', 'numpy', 'qiskit', 'google'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)


def test_client_loads_no_qiskit_and_no_server_code():
    check = """
import sys
from aerlock import RuntimeService
loaded = {name.partition(".")[0] for name in sys.modules}
sys.exit(bool({"numpy", "qiskit", "qiskit_aer", "aerlock_gateway", "aerlock_executor"} & loaded))
"""
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)


def test_program_side_loads_no_grpc():
    check = """
import sys
from aerlock.program import ProgramBackend, UserMessenger
from aerlock.program.backends import get_backend
sys.exit("grpc" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)
