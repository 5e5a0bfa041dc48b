"""The circuits of noise: a model has thousands, of a few instructions each, for which QPY takes seconds."""

# ruff: noqa: ANN401  (an object of any type may come)

from typing import Any, Final

from aerlock.codec.tagged import require, require_array

MAX_NOISE_QUBITS: Final = 250_000
"""Qubits of all circuits of noise in one document: each takes memory, and none room in a message."""
_COUNTED: Final = "qubits of noise"
_GATES: Final = {"id": "IGate", "x": "XGate", "y": "YGate", "z": "ZGate", "reset": "Reset"}
"""The instructions without parameters that noise is made of."""


def circuits_to_plain(circuits: list[Any]) -> list[Any]:
    """Gives each circuit of known instructions as a list of them: ``[name, qubits, parameter]``.

    The parameter of ``pauli`` is a label, that of ``kraus`` a list of matrices. Others stay as they are.
    """
    return [_steps_of(circuit) or circuit for circuit in circuits]


def circuits_from_plain(plain: Any, num_qubits: int, document: dict[Any, Any]) -> list[Any]:
    """Makes the circuits again, all of ``num_qubits`` qubits; raises TypeError and ValueError otherwise."""
    from qiskit import QuantumCircuit

    count = len(require(list, plain))
    if num_qubits < 1 or document.get(_COUNTED, 0) + count * num_qubits > MAX_NOISE_QUBITS:
        raise ValueError(f"circuits of noise have no qubits, or more than {MAX_NOISE_QUBITS:,} in all")
    document[_COUNTED] = document.get(_COUNTED, 0) + count * num_qubits
    circuits = []
    for each in plain:
        circuit = _circuit_of(each, num_qubits) if type(each) is list else require(QuantumCircuit, each)
        if circuit.num_qubits != num_qubits or circuit.clbits:
            raise ValueError(f"a circuit of noise is not of {num_qubits} qubits alone")
        circuits.append(circuit)
    return circuits


def _steps_of(circuit: Any) -> list[Any] | None:
    """None where something in or around the instructions would be lost."""
    from qiskit.circuit import QuantumRegister

    is_bare = (
        circuit.qregs == [QuantumRegister(circuit.num_qubits, "q")]
        and circuit.name.startswith("circuit-")
        and not (circuit.metadata or circuit.clbits or circuit.global_phase or circuit.num_vars)
    )
    steps = [_step_of(circuit, instruction) for instruction in circuit.data] if is_bare else [None]
    return None if None in steps else steps


def _step_of(circuit: Any, instruction: Any) -> list[Any] | None:
    operation = instruction.operation
    step = [operation.name, [circuit.find_bit(qubit).index for qubit in instruction.qubits]]
    if operation.label is not None:
        return None
    kind = f"{operation.base_class.__module__}.{operation.base_class.__qualname__}"
    if kind == _KINDS.get(operation.name):
        return step if operation.name in _GATES else [*step, operation.params[0]]
    is_kraus = operation.name == "kraus" and kind == "qiskit.circuit.instruction.Instruction"
    return [*step, list(operation.params)] if is_kraus and operation._definition is None else None


def _circuit_of(steps: list[Any], num_qubits: int) -> Any:
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(num_qubits)
    for step in steps:
        name, qubits, *parameters = require(list, step)
        for qubit in require(list, qubits):
            require(int, qubit)
        circuit.append(_instruction_of(require(str, name), len(qubits), parameters), qubits)
    return circuit


def _instruction_of(name: str, num_qubits: int, parameters: list[Any]) -> Any:
    from qiskit.circuit import Instruction, library

    if name in _GATES and not parameters:
        return getattr(library, _GATES[name])()
    (parameter,) = parameters
    if name == "pauli" and len(require(str, parameter)) == num_qubits:
        return library.PauliGate(parameter)
    if name != "kraus":
        raise ValueError(f"there is no instruction {name[:20]!r} on {num_qubits} qubits")
    for matrix in require(list, parameter):
        # Aer's compiled code relies on it.
        if require_array(matrix, "fc", 2).shape != (1 << num_qubits, 1 << num_qubits):
            raise ValueError(f"a Kraus operator of shape {matrix.shape} does not act on {num_qubits} qubits")
    return Instruction("kraus", num_qubits, 0, parameter)


_STANDARD: Final = "qiskit.circuit.library.standard_gates"
_KINDS: Final = {
    "id": f"{_STANDARD}.i.IGate",
    "x": f"{_STANDARD}.x.XGate",
    "y": f"{_STANDARD}.y.YGate",
    "z": f"{_STANDARD}.z.ZGate",
    "reset": "qiskit.circuit.reset.Reset",
    "pauli": "qiskit.circuit.library.generalized_gates.pauli.PauliGate",
}
"""The classes of the known instructions, by name."""
