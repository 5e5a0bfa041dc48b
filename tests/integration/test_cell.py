"""Real cells of a real zygote, in every tier: how programs run in them and how they end."""

import json
from pathlib import Path

import pytest

from aerlock_executor.cell.tiers import Tier

DRIVER = Path(__file__).with_name("cell_driver.py")
HANG = """
import time
def main(backend, user_messenger):
    user_messenger.publish("hanging")
    time.sleep(600)
"""
BELL = """
from qiskit import QuantumCircuit, transpile
def main(backend, user_messenger, shots):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    user_messenger.publish({"depth": circuit.depth()})
    print("running")
    more = b"x" * (128 << 20)  # than the cell has used before its job
    return backend.run(transpile(circuit, backend), shots=shots).result().get_counts()
"""


in_every_tier = pytest.mark.parametrize("tier", list(Tier))


@pytest.fixture
def run_cells(unprivileged_python):
    """Runs jobs in cells of one zygote and returns what became of them; nothing may be left."""

    def run(*jobs, tier=Tier.FULL):
        completed = unprivileged_python(str(DRIVER), tier, json.dumps(jobs))
        assert completed.returncode == 0, completed.stderr
        report = json.loads(completed.stdout)
        assert report["left"] == []
        return report["outcomes"]

    return run


def main_with(body):
    """A program whose main has this body."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"def main(backend, user_messenger, **kwargs):\n{lines}"


def last(outcome):
    return outcome["frames"][-1]


@in_every_tier
def test_bell_circuit_on_aer_completes(run_cells, tier):
    (outcome,) = run_cells({"source": BELL, "inputs": {"shots": 100}}, tier=tier)
    (interim, final) = outcome["frames"]
    assert interim == ["interim_result", {"depth": 3}]
    assert set(final[1]) <= {"00", "11"}
    assert sum(final[1].values()) == 100
    assert outcome["stdout"] == "running\n"
    assert (outcome["exit"]["exit_code"], outcome["exit"]["signal"]) == (0, None)
    assert outcome["exit"]["cpu_seconds"] > 0


def test_transpile_at_every_level_and_primitives_complete(run_cells):
    source = """
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import efficient_su2
from qiskit.primitives import BackendSamplerV2

def main(backend, user_messenger):
    circuit = efficient_su2(4, reps=1).decompose()
    bound = circuit.assign_parameters([0.1] * circuit.num_parameters)
    bound.measure_all()
    for level in range(4):
        user_messenger.publish(transpile(bound, backend, optimization_level=level).num_qubits)
    result = BackendSamplerV2(backend=backend).run([transpile(bound, backend)], shots=64).result()
    return result[0].data.meas.num_shots
"""
    (outcome,) = run_cells({"source": source})
    assert last(outcome) == ["final_result", 64]
    assert outcome["stderr"] == ""


def test_final_results_published_and_returned_take_precedence_as_documented(run_cells):
    outcomes = run_cells(
        {"source": main_with("pass")},
        {"source": main_with("user_messenger.publish(1, final=True)")},
        {"source": main_with("user_messenger.publish(1, final=True)\nreturn 1")},
        {"source": main_with("user_messenger.publish(1, final=True)\nreturn 2")},
    )
    assert [last(outcome)[1] for outcome in outcomes[:3]] == [None, 1, 1]
    assert all(len(outcome["frames"]) == 1 for outcome in outcomes)
    assert last(outcomes[3])[1]["reason"] == "INVALID_RESULT"
    assert "two different final results" in last(outcomes[3])[1]["message"]


def test_failing_program_reports_its_reason_with_status_1(run_cells):
    cases = (
        ("raise ValueError('wrong')", "PROGRAM_ERROR", "ValueError: wrong"),
        ("raise SystemExit(3)", "NO_RESULT", "exited before main returned"),
        ("return object()", "INVALID_RESULT", "final result cannot be sent"),
        ("return [None] * 1_100_000", "INVALID_RESULT", "more than 1,048,576 values"),
        ("return len(bytearray(4 << 30))", "MEMORY_LIMIT", "MemoryError"),
        ("from qiskit_aer import AerError\nraise AerError('bad')", "SIMULATOR_ERROR", "bad"),
    )
    outcomes = run_cells(*({"source": main_with(body)} for body, _, _ in cases))
    for outcome, (_, reason, message) in zip(outcomes, cases, strict=True):
        kind, failure = last(outcome)
        assert (kind, failure["reason"]) == ("failure", reason)
        assert message in failure["message"]
        assert outcome["exit"]["exit_code"] == 1


def test_traceback_shows_frames_of_the_program_alone(run_cells):
    source = {
        "program.py": "import helper\n\ndef main(backend, user_messenger):\n    return helper.divide(1)\n",
        "helper.py": "def divide(number):\n    return number / 0\n",
    }
    (outcome,) = run_cells({"source": source})
    traceback = last(outcome)[1]["traceback"]
    assert 'File "program.py", line 4, in main\n    return helper.divide(1)' in traceback
    assert 'File "helper.py", line 2, in divide\n    return number / 0' in traceback
    assert "aerlock" not in traceback


def test_program_that_cannot_be_loaded_fails_with_a_sentence(run_cells):
    cases = (
        ("def main(:", "SyntaxError"),
        ("x = 1", "does not define main"),
        ("import nonsense_module", "ModuleNotFoundError"),
        ("def main():\n    pass", "TypeError"),
    )
    outcomes = run_cells(*({"source": source} for source, _ in cases))
    for outcome, (_, message) in zip(outcomes, cases, strict=True):
        assert last(outcome)[1]["reason"] == "PROGRAM_ERROR"
        assert message in last(outcome)[1]["message"]


def test_log_level_shows_the_programs_logging_on_stderr(run_cells):
    source = "import logging\n" + main_with("logging.getLogger('mine').info('seen')")
    quiet, loud = run_cells({"source": source}, {"source": source, "log_level": "INFO"})
    assert quiet["stderr"] == ""
    assert loud["stderr"] == "INFO:mine:seen\n"


def test_killed_cell_ends_by_signal_9_with_its_usage(run_cells):
    source = main_with("user_messenger.publish(1)\nwhile True:\n    pass")
    (outcome,) = run_cells({"source": source, "action": "kill"})
    assert outcome["exit"]["signal"] == 9
    assert outcome["exit"]["cpu_seconds"] > 0
    assert outcome["seconds"] < 5


@in_every_tier
def test_way_of_ending_is_the_programs_own(run_cells, tier):
    calls = ("os.abort()", "os.kill(os.getpid(), 11)", "os._exit(7)")
    outcomes = run_cells(*({"source": "import os\n" + main_with(call)} for call in calls), tier=tier)
    ends = [(outcome["exit"]["exit_code"], outcome["exit"]["signal"]) for outcome in outcomes]
    assert ends == [(None, 6), (None, 11), (7, None)]
    assert all(outcome["frames"] == [] for outcome in outcomes)


def test_cpu_limit_ends_a_spinning_program(run_cells):
    (outcome,) = run_cells({"source": main_with("while True:\n    pass"), "cpu_seconds": 1})
    assert outcome["exit"]["signal"] == 24  # SIGXCPU


@pytest.mark.parametrize("tier", [Tier.FULL, Tier.REDUCED])
def test_job_gets_less_memory_than_its_cell_where_it_says_so(run_cells, tier):
    source = main_with("return len(bytearray(200 << 20))")
    small, large = run_cells({"source": source, "memory_bytes": 100 << 20}, {"source": source}, tier=tier)
    assert last(small)[1]["reason"] == "MEMORY_LIMIT"
    assert last(large) == ["final_result", 200 << 20]


@in_every_tier
def test_killed_stub_takes_its_cell_and_no_other(run_cells, tier):
    killed, after = run_cells(
        {"source": HANG, "action": "kill stub"}, {"source": main_with("return 1")}, tier=tier
    )
    assert killed["exit"]["signal"] == 9
    assert killed["seconds"] < 5
    assert last(after) == ["final_result", 1]


@in_every_tier
def test_killed_zygote_takes_its_cells_and_says_so(run_cells, tier):
    (outcome,) = run_cells({"source": HANG, "action": "kill zygote"}, tier=tier)
    assert "the zygote ended" in outcome["exit"]["error"]
    assert "the zygote ended" in outcome["exit"]["closed"]


def test_zygote_without_descriptors_refuses_a_cell_and_lives_on(run_cells):
    job = {"source": main_with("return 1")}
    count = {"action": "count"}
    outcomes = run_cells(job, count, {"action": "starve zygote"}, job, count)
    assert "no room for descriptors" in outcomes[2]
    assert last(outcomes[3]) == ["final_result", 1]
    assert outcomes[1] == outcomes[4]


@in_every_tier
def test_twenty_cells_in_a_row_leave_nothing(run_cells, tier):
    job = {"source": main_with("open('/tmp/x', 'w').close()\nreturn 1")}
    kill = {"source": HANG, "action": "kill"}
    count = {"action": "count"}
    outcomes = run_cells(job, count, *[job, kill] * 10, count, tier=tier)
    assert outcomes[1] == outcomes[-1]
