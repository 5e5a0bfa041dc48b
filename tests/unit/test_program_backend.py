"""The backend and the messenger that programs get."""

import json
import subprocess
import sys
import time
from statistics import median

import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.random import random_circuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error

from aerlock.program import ProgramBackend, UserMessenger
from aerlock.program.backends import BACKENDS, get_backend, list_backends


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize("name", [name for name in BACKENDS if not name.endswith(("unitary", "superop"))])
def test_backend_runs_a_transpiled_circuit(name):
    backend = get_backend(name)
    counts = backend.run(transpile(bell(), backend), shots=100, seed_simulator=7).result().get_counts()
    assert set(counts) <= {"00", "11"}
    assert sum(counts.values()) == 100


@pytest.mark.parametrize(("name", "method"), [("unitary", "save_unitary"), ("superop", "save_superop")])
def test_backend_without_measurement_gives_its_matrix(name, method):
    circuit = QuantumCircuit(1)
    circuit.x(0)
    getattr(circuit, method)()
    backend = get_backend(f"aer_simulator_{name}")
    assert name in backend.run(transpile(circuit, backend)).result().data()


def test_target_is_built_once():
    backend = ProgramBackend(AerSimulator(), "mine")
    assert backend.name == "mine"
    assert backend.target is backend.target
    assert backend.num_qubits == backend.target.num_qubits


def test_options_that_change_the_gates_change_the_target():
    backend = ProgramBackend(AerSimulator(), "mine")
    before = set(backend.target.operation_names)
    noise = NoiseModel(basis_gates=["rz", "sx", "cx"])
    noise.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["sx"])
    backend.set_options(noise_model=noise, shots=7)
    assert set(backend.target.operation_names) < before
    assert sum(backend.run(transpile(bell(), backend)).result().get_counts().values()) == 7


def test_transpile_is_much_faster_than_for_the_bare_simulator():
    circuit = random_circuit(5, 4, measure=True, seed=1)
    backends = (get_backend("aer_simulator"), AerSimulator())
    seconds: tuple[list[float], list[float]] = ([], [])
    for backend in backends:
        transpile(circuit, backend)
    for _ in range(5):
        for backend, times in zip(backends, seconds, strict=True):
            start = time.perf_counter()
            transpile(circuit, backend)
            times.append(time.perf_counter() - start)
    assert median(seconds[1]) > 3 * median(seconds[0])


def test_backend_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ValueError, match=r"no backend 'ibmq'.*aer_simulator_superop"):
        get_backend("ibmq")


def test_list_describes_every_backend():
    assert [info.name for info in list_backends()] == sorted(BACKENDS)
    assert all(info.num_qubits > 0 and info.description for info in list_backends())


def test_making_every_backend_and_target_starts_no_thread():
    check = """
import os
import qiskit_aer
threads = len(os.listdir("/proc/self/task"))
from aerlock.program.backends import BACKENDS, get_backend
for name in BACKENDS:
    get_backend(name).target
assert len(os.listdir("/proc/self/task")) == threads
"""
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)


def test_messenger_prints_the_view_of_a_message(capsys):
    UserMessenger().publish({"iteration": 1, "counts": {"00": 2}})
    UserMessenger().publish("done", final=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"iteration": 1, "counts": {"00": 2}}, "done"]


def test_messenger_refuses_what_the_server_would_refuse():
    with pytest.raises(TypeError, match=r"message\.x is a builtins\.object"):
        UserMessenger().publish({"x": object()})


def test_messenger_at_home_prints_what_is_too_large_without_its_content(capsys):
    UserMessenger().publish({"samples": [0.5] * 200_000, "round": 1})
    assert capsys.readouterr().out == '{"samples": {"__type__": "blob"}, "round": 1}\n'
