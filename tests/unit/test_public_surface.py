"""What `import aerlock` offers, and what it must not load."""

import subprocess
import sys

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

import aerlock
from aerlock._channel import Connection
from aerlock.v1 import programs_pb2

PUBLIC = [
    "AerlockError",
    "BackendInfo",
    "BackendNotFoundError",
    "ConflictError",
    "Credentials",
    "InputValueError",
    "JobStatus",
    "NotAuthorizedError",
    "ParameterNamespace",
    "QuotaExceededError",
    "ResourceLimits",
    "ResultDecoder",
    "RuntimeDecoder",
    "RuntimeEncoder",
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


METADATA = {"name": "sample", "description": "A sample.", "max_execution_time": 60}
SOURCE = "def main(backend, user_messenger): pass\n"


@pytest.fixture
def unreachable():
    """A service without a server: what it refuses, the client refuses by itself."""
    with aerlock.RuntimeService("unix:/nowhere", "secret") as service:
        yield service


@pytest.mark.parametrize("value", ["5", True, 0, -1, float("inf"), float("nan"), 365 * 86_400 + 1, 10**400])
def test_impossible_max_execution_time_is_refused_by_name(unreachable, value):
    words = "max_execution_time (must be a number|is a required)"
    with pytest.raises(aerlock.InputValueError, match=words):
        unreachable.run("any", {"backend_name": "any", "max_execution_time": value})
    with pytest.raises(aerlock.InputValueError, match=words):
        unreachable.upload_program(SOURCE, {**METADATA, "max_execution_time": value})


@pytest.mark.parametrize(
    "option",
    [
        {"image": 5},
        {"log_level": 5},
        {"backend_name": None},
        {"backend_name": 5},
        {"job_tags": 5},
        {"job_tags": "one"},
        {"job_tags": [5]},
    ],
)
def test_option_of_another_type_is_refused_by_name(unreachable, option):
    (name,) = option
    with pytest.raises(aerlock.InputValueError, match=name.replace("_level", ".level")):
        unreachable.run("any", {"backend_name": "any", **option})


def test_options_and_inputs_that_are_no_dict_are_refused(unreachable):
    with pytest.raises(aerlock.InputValueError, match="options must be a dict"):
        unreachable.run("any", 5)
    with pytest.raises(aerlock.InputValueError, match="inputs must be a dict"):
        unreachable.run("any", {"backend_name": "any"}, 5)


def test_input_that_cannot_be_sent_is_a_type_error_with_its_place(unreachable):
    with pytest.raises(TypeError, match=r"inputs\.a\[0\] is a builtins\.object"):
        unreachable.run("any", {"backend_name": "any"}, {"a": [object()]})


@pytest.mark.parametrize("data", ["a" * 300, "nul\0", "no_such_file.py", "\n\ud800", 5, None])
def test_source_that_cannot_be_read_is_refused(unreachable, data):
    with pytest.raises(aerlock.InputValueError, match="data"):
        unreachable.upload_program(data, METADATA)


@pytest.mark.parametrize("metadata", ["a" * 300, "nul\0", "no_such_file.json", 5])
def test_metadata_that_cannot_be_read_is_refused(unreachable, metadata):
    with pytest.raises(aerlock.InputValueError, match="metadata"):
        unreachable.upload_program(SOURCE, metadata)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"backend_requirements": 5}, "backend_requirements must be a dict"),
        ({"backend_requirements": {"x": object()}}, r"backend_requirements\.x"),
        ({"parameters": {"x": object()}}, r"spec\.parameters must be a JSON Schema"),
    ],
)
def test_spec_that_cannot_be_sent_is_refused_by_name(unreachable, spec, words):
    with pytest.raises(aerlock.InputValueError, match=words):
        unreachable.upload_program(SOURCE, {**METADATA, "spec": spec})


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63), 0])
def test_program_prints_whatever_times_the_server_sends(seconds):
    message = programs_pb2.Program(
        max_execution_time=Duration(seconds=seconds, nanos=2**31 - 1),
        create_time=Timestamp(seconds=seconds, nanos=-(2**31)),
        update_time=Timestamp(seconds=seconds),
    )
    connection = Connection(aerlock.Credentials("unix:/nowhere", "secret"))
    assert "Max execution time: " in str(aerlock.RuntimeProgram(message, connection))
    connection.close()
