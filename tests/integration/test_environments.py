"""Environments: the jobs of one run with its packages, and everything else about them stays as it is."""

import os
import site
import tempfile
import venv
from pathlib import Path

import grpc
import psutil
import pytest
from integration.executor_driver import Executor, events_of, reason

from aerlock.v1 import jobs_pb2
from aerlock_executor.interpreter import Interpreter, InterpreterError
from aerlock_executor.v1 import executor_pb2

IMPORTS_EXTRA = """
import sys

def main(backend, user_messenger):
    import extra
    return [extra.NAME, sys.prefix]
"""
RUNS_A_CIRCUIT = """
from qiskit import QuantumCircuit, transpile

def main(backend, user_messenger):
    import extra
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.measure_all()
    return backend.run(transpile(circuit, backend), shots=5).result().get_counts()
"""


@pytest.fixture
def folder():
    """A folder that every uid can read, for a virtual environment."""
    with tempfile.TemporaryDirectory(prefix="aerlock-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def make_environment(folder: Path, name: str, packages: bool = True) -> Path:
    """Makes a virtual environment with a module of its own and, with ``packages``, those of this one."""
    path = folder / name
    venv.create(path, symlinks=True, with_pip=False)
    library = next((path / "lib").glob("python*/site-packages"))
    (library / "extra.py").write_text(f"NAME = {name!r}\n")
    if packages:
        lines = [f"import site; site.addsitedir({folder!r})" for folder in site.getsitepackages()]
        (library / "borrowed.pth").write_text("\n".join(lines))
    return path


@pytest.fixture
def executor(unprivileged_folder, unprivileged_command):
    executor = Executor(unprivileged_folder, unprivileged_command)
    yield executor
    executor.stop()


def test_job_runs_with_the_packages_of_its_environment(executor, folder):
    executor.start(environments=named(a=make_environment(folder, "a"), b=make_environment(folder, "b")))
    for name in ("a", "b"):
        ended = executor.run(IMPORTS_EXTRA, environment=name)
        result = ended[-2].final_result.list_value.values
        assert [item.string_value for item in result] == [name, str(folder / name)]
    assert executor.run(RUNS_A_CIRCUIT, environment="a")[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
    assert reason(executor.run(IMPORTS_EXTRA)) == "PROGRAM_ERROR"


def named(**environments: Path) -> str:
    """The setting, as an environment variable holds it."""
    return "{" + ", ".join(f'"{name}": "{path}"' for name, path in environments.items()) + "}"


def test_unknown_environment_is_refused_with_those_that_there_are(executor, folder):
    executor.start(environments=named(chemistry=folder))
    with pytest.raises(grpc.RpcError) as refused:
        executor.run(IMPORTS_EXTRA, environment="physics")
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "there are default, chemistry" in refused.value.details()


def script(folder: Path, text: str) -> Path:
    path = folder / "script"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


BROKEN = {
    "missing": lambda folder: folder / "missing",
    "bare": lambda folder: make_environment(folder, "bare", packages=False),
    "talks": lambda folder: script(folder, "echo hello"),
    "lies": lambda folder: script(folder, "echo '{}'"),
    "fails": lambda folder: script(folder, "exit 3"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_environment_that_cannot_run_cells_fails_its_jobs_and_no_others(executor, folder, kind):
    path = BROKEN[kind](folder)
    executor.start(environments=named(broken=path))
    events = executor.run(IMPORTS_EXTRA, environment="broken")
    assert reason(events) == "EXECUTOR_LOST"
    assert "could not make a cell" in events[-1].ended.failure.message
    assert executor.run("def main(*_): pass")[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED


def test_environment_around_the_data_of_the_executor_gets_no_cell(executor):
    """Its jobs could read the programs and values of all others: cells have the executor's uid."""
    around = make_environment(executor.folder.parent, executor.folder.name)
    executor.start(environments=named(around=around))
    assert reason(executor.run(IMPORTS_EXTRA, environment="around")) == "EXECUTOR_LOST"
    assert executor.run("def main(*_): pass")[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED


@pytest.mark.parametrize("place", ["environment", "environment/data", "link/data"])
def test_data_in_an_environment_is_refused(folder, place):
    environment = folder / "environment"
    environment.mkdir()
    (folder / "link").symlink_to(environment)
    interpreter = Interpreter("python", (str(environment),), ())
    interpreter.check_apart(folder / "environments")
    with pytest.raises(InterpreterError, match="every job can read"):
        interpreter.check_apart(folder / place)


def sleepers(executor) -> list[psutil.Process]:
    children = psutil.Process(executor.process.pid).children(recursive=True)
    return [child for child in children if child.name() == "sleep"]


def test_environment_that_hangs_holds_up_neither_cancel_nor_stop(executor, folder):
    executor.start(environments=named(hangs=script(folder, "sleep 1000")), slots=2)
    requests = [executor.request(IMPORTS_EXTRA, environment="hangs") for _ in range(2)]
    streams = [executor.stub.StartTask(request) for request in requests]
    while not (hanging := sleepers(executor)):
        pass
    executor.stub.CancelTask(executor_pb2.CancelTaskRequest(task_id=requests[0].task_id))
    assert events_of(streams[0])[-1].ended.state == jobs_pb2.JOB_STATE_CANCELLED
    assert executor.run("def main(*_): pass")[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
    executor.stop()
    psutil.wait_procs(hanging, timeout=30)
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in hanging)


@pytest.mark.parametrize("name", ["default", "", "-x", "a b", "x" * 129])
def test_name_that_is_none_is_refused_at_the_start(unprivileged_folder, unprivileged_python, name):
    variables = os.environ | {"AERLOCK_EXECUTOR_ENVIRONMENTS": named(**{name: unprivileged_folder})}
    arguments = ("-m", "aerlock_executor", "serve", "--data-dir", str(unprivileged_folder))
    completed = unprivileged_python(*arguments, env=variables)
    assert completed.returncode == 2
    assert "no name for an environment" in completed.stderr


def test_client_chooses_the_environment_and_learns_which_there_are(make_stack, folder):
    from aerlock import InputValueError, RuntimeService

    path = make_environment(folder, "chemistry")
    stack = make_stack(AERLOCK_EXECUTOR_ENVIRONMENTS=named(chemistry=path))
    options = {"backend_name": "aer_simulator", "image": "chemistry"}
    with RuntimeService(address=stack.address, token=stack.token) as service:
        assert list(service.server_info().environments) == ["default", "chemistry"]
        metadata = {"name": "extra", "description": "Made by a test.", "max_execution_time": 60}
        program_id = service.upload_program(IMPORTS_EXTRA, metadata)
        job = service.run(program_id, options)
        assert job.result(60) == ["chemistry", str(path)]
        with pytest.raises(InputValueError, match="there are default, chemistry"):
            service.run(program_id, options | {"image": "physics"})
