"""Jobs as users of the original knew them: final values, inputs that come back, options, retrieved jobs."""

import math
import sqlite3

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from aerlock import InputValueError, JobStatus, RuntimeJobFailureError, RuntimeOptions, RuntimeService

OPTIONS = {"backend_name": "aer_simulator"}
PATIENCE_SECONDS = 60


@pytest.fixture
def run(service):
    """Uploads the body of a main and runs it."""

    def call(body: str, inputs: object = None, **options: object):
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        source = f"def main(backend, user_messenger, **inputs):\n{lines}"
        metadata = {"name": "of-a-test", "description": "Made by a test.", "max_execution_time": 120}
        return service.run(service.upload_program(source, metadata), OPTIONS | options, inputs)

    return call


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return 1", 1),
        ("pass", None),
        ("user_messenger.publish(1, final=True)", 1),
        ("user_messenger.publish(1, final=True)\nreturn None", 1),
        ("user_messenger.publish({'a': [1]}, final=True)\nreturn {'a': [1]}", {"a": [1]}),
        ("user_messenger.publish(False, final=True)", False),
    ],
)
def test_final_value_is_what_was_returned_or_published_as_final(run, body, expected):
    job = run(body)
    assert job.result(PATIENCE_SECONDS) == expected
    assert job.interim_results() == []


@pytest.mark.parametrize(
    "body",
    [
        "user_messenger.publish(1, final=True)\nreturn 2",
        "user_messenger.publish(None, final=True)\nreturn 2",
        "user_messenger.publish(1, final=True)\nuser_messenger.publish(True, final=True)",
    ],
)
def test_two_different_final_values_fail_the_job(run, body):
    job = run(body)
    with pytest.raises(RuntimeJobFailureError, match="two different final results"):
        job.result(PATIENCE_SECONDS)


def test_interim_results_after_the_final_value_still_arrive(run):
    job = run("user_messenger.publish('end', final=True)\nuser_messenger.publish('after')")
    assert job.result(PATIENCE_SECONDS) == "end"
    assert job.interim_results() == ["after"]


def test_result_that_cannot_be_sent_fails_the_job_and_says_where(run):
    job = run("user_messenger.publish('first')\nuser_messenger.publish({'a': [object()]})")
    with pytest.raises(RuntimeJobFailureError, match=r"TypeError.*a\[0\]|a\[0\].*TypeError") as failure:
        job.result(PATIENCE_SECONDS)
    assert "user_messenger.publish({'a': [object()]})" in str(failure.value)
    assert job.status() is JobStatus.ERROR
    assert job.interim_results() == ["first"]


def test_program_that_catches_what_cannot_be_sent_goes_on(run):
    body = "try:\n    user_messenger.publish(object())\nexcept TypeError:\n    return 'caught'"
    assert run(body).result(PATIENCE_SECONDS) == "caught"


def test_result_with_arrays_can_be_asked_for_twice(run):
    job = run("import numpy\nreturn {'a': numpy.arange(3), 'b': numpy.float64(0.5)}")
    for _ in range(2):
        result = job.result(PATIENCE_SECONDS)
        assert np.array_equal(result["a"], np.arange(3))
        assert result["b"] == 0.5


def test_inputs_of_every_kind_come_back_equal_from_a_retrieved_job(run, service):
    angle = Parameter("angle")
    circuit = QuantumCircuit(2, 2, metadata={"note": "kept"})
    circuit.ry(angle, 0)
    circuit.cx(0, 1)
    circuit.measure_all()
    inputs = {
        "circuit": circuit,
        "observable": SparsePauliOp.from_list([("XX", 1.0), ("ZZ", -0.5j)]),
        "array": np.array([[1 + 2j, 3.0]], order="F"),
        "tuple": (1, (2.5, "three"), None),
        "keys": {1: "int", "1": "text", (0, 1): "pair"},
        "bytes": b"\0\xff",
        "nan": math.nan,
        "big": 2**100,
    }
    job = run("return sorted(inputs)", inputs)
    assert job.result(PATIENCE_SECONDS) == sorted(inputs)
    found = service.job(job.job_id()).inputs
    assert list(found) == list(inputs)
    assert math.isnan(found.pop("nan"))
    assert np.array_equal(found.pop("array"), inputs["array"])
    assert found["circuit"].metadata == {"note": "kept"}
    assert found == {name: inputs[name] for name in found}


@pytest.mark.parametrize("image", ["python:3.11", "us.icr.io/a/b-c:1.0"])
def test_image_of_the_originals_form_is_an_environment_that_does_not_exist(service, image):
    RuntimeOptions(backend_name="aer_simulator", image=image).validate()
    with pytest.raises(InputValueError, match="image"):
        service.run("hello-world", OPTIONS | {"image": image}, {"iterations": 1})


@pytest.mark.parametrize("level", ["DEBUG", "info", "Warning", "ERROR", "critical"])
def test_log_level_is_taken_in_any_case_and_is_on_the_job(run, level):
    body = "import logging\nreturn logging.getLevelName(logging.getLogger().level)"
    assert run(body, log_level=level).result(PATIENCE_SECONDS) == level.upper()


@pytest.mark.parametrize("level", ["WARN", "FATAL", "NOTSET", "10", "LOUD"])
def test_log_level_that_is_none_is_refused(service, level):
    with pytest.raises(InputValueError, match="log level"):
        service.run("hello-world", OPTIONS | {"log_level": level}, {"iterations": 1})


def test_job_on_a_backend_that_is_gone_stays_readable(make_stack):
    stack = make_stack()
    with RuntimeService(address=stack.address, token=stack.token) as service:
        job_id = service.run("hello-world", OPTIONS, {"iterations": 1}).job_id()
        service.job(job_id).wait_for_final_state(PATIENCE_SECONDS)
        with sqlite3.connect(stack.data_dir / "gateway" / "gateway.db") as database:
            database.execute("UPDATE jobs SET backend_name = 'gone'")
        database.close()
        job = service.job(job_id)
        assert (job.backend_name, job.status()) == ("gone", JobStatus.DONE)
        assert len(job.interim_results()) == 1
        assert [one.backend_name for one in service.jobs()] == ["gone"]
