"""What a failed program is told: its reason, a sentence, and a traceback of its own lines."""

import pytest
from integration.executor_driver import events_of

from aerlock.v1.jobs_pb2 import FailureReason
from aerlock.v1.values_pb2 import Circuit, MapEntry, MapValue, TaggedValue, Value

OWN = ("aerlock", "site-packages", "<frozen")


@pytest.fixture
def fail(executor):
    """Runs a program that fails; its reason and its failure."""

    def run(source, helper=b"", **fields):
        request = executor.request(source, **fields)
        request.source.files["helper.py"] = helper
        failure = events_of(executor.stub.StartTask(request))[-1].ended.failure
        assert not any(name in failure.traceback for name in OWN)
        return FailureReason.Name(failure.reason).removeprefix("FAILURE_REASON_"), failure

    return run


@pytest.mark.parametrize(
    "value",
    [
        Value(circuit_value=Circuit(qpy=b"QISKIT\x11 and then nothing")),
        Value(circuit_value=Circuit(qpy=b"nothing of the sort")),
        Value(circuit_value=Circuit(openqasm3="OPENQASM 3; nonsense")),
        Value(tagged_value=TaggedValue(type="python.set", value=Value(int_value=1))),
    ],
)
def test_input_that_cannot_be_read_is_named(fail, value):
    fine = MapEntry(key="fine", value=Value(int_value=1))
    source = "def main(backend, user_messenger, **kwargs):\n    return 1\n"
    reason, failure = fail(source, inputs=MapValue(entries=[fine, MapEntry(key="odd one", value=value)]))
    assert reason == "INVALID_INPUT"
    assert failure.message.startswith("The inputs cannot be read: inputs.odd one: ")
    assert failure.traceback == ""


def test_chained_exceptions_show_the_programs_frames_and_lines(fail):
    source = """
import helper, json

def main(backend, user_messenger):
    try:
        json.loads("{")
    except ValueError as error:
        helper.give_up(error)
"""
    helper = b"def give_up(error):\n    raise RuntimeError('gave up') from error\n"
    reason, failure = fail(source, helper)
    assert (reason, failure.message) == ("PROGRAM_ERROR", "RuntimeError: gave up")
    first, second = failure.traceback.split("The above exception was the direct cause")
    assert 'File "program.py", line 6, in main\n    json.loads("{")\njson.decoder.JSONDecodeError: ' in first
    assert "    helper.give_up(error)" in second
    assert "    raise RuntimeError('gave up') from error\nRuntimeError: gave up" in second
    assert "raw_decode" not in failure.traceback


def test_exception_groups_show_the_programs_frames_and_lines(fail):
    source = """
import json

def main(backend, user_messenger):
    errors = []
    for text in ("{", "["):
        try:
            json.loads(text)
        except ValueError as error:
            errors.append(error)
    raise ExceptionGroup("two", errors)
"""
    reason, failure = fail(source)
    assert (reason, failure.message) == ("PROGRAM_ERROR", "ExceptionGroup: two (2 sub-exceptions)")
    assert failure.traceback.count("json.loads(text)") == 2
    assert 'raise ExceptionGroup("two", errors)' in failure.traceback
    assert "raw_decode" not in failure.traceback


def test_syntax_error_has_its_line_and_a_caret(fail):
    source = "def main(backend, user_messenger):\n    import helper\n"
    reason, failure = fail(source, b"def f(:\n    pass\n")
    assert (reason, failure.message) == ("PROGRAM_ERROR", "SyntaxError: invalid syntax (helper.py, line 1)")
    assert failure.traceback.startswith("Traceback (most recent call last):\n")
    assert '  File "program.py", line 2, in main\n    import helper\n' in failure.traceback
    assert failure.traceback.endswith(
        '  File "helper.py", line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax\n'
    )


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('x' * 10_000_000)",
        "main(backend, user_messenger)",
        "error = None\nfor number in range(5000):\n    new = ValueError(number)\n    "
        "new.__cause__ = error\n    error = new\nraise error",
        "error = ValueError()\nfor _ in range(1000): error = ExceptionGroup('g', [error] * 30)\nraise error",
        "error = ValueError()\nfor _ in range(500): error.add_note('note ' * 100)\nraise error",
        "error = ValueError()\nerror.__cause__ = error\nraise error",
    ],
)
def test_texts_of_a_failure_are_bounded(fail, body):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    reason, failure = fail(f"def main(backend, user_messenger):\n{lines}")
    assert reason == "PROGRAM_ERROR"
    assert 0 < len(failure.message.encode()) <= 4 << 10
    assert 0 < len(failure.traceback.encode()) <= 32 << 10
