"""Aer's noise models, part by part: its own dict lacks basis gates and passes, and changes many gates."""

# ruff: noqa: ANN401  (an object of any type may come)

from collections.abc import Callable
from typing import Any, Final

from aerlock.codec.tagged import TaggedType, require, require_array, require_keys
from aerlock.codec.types.noise_circuits import circuits_from_plain, circuits_to_plain

_NOISE: Final = "qiskit_aer.noise"


def _error_to_plain(error: Any) -> dict[str, Any]:
    """Gives the circuits and their probabilities, which the constructor may round when it gets them again."""
    from numpy import array, float64

    probabilities = error.probabilities
    if all(type(probability) is float64 for probability in probabilities):
        probabilities = array(probabilities)
    return {
        "id": error.id,
        "num_qubits": error.num_qubits,
        "probabilities": probabilities,
        "circuits": circuits_to_plain(error.circuits),
    }


def _error_from_plain(plain: Any, document: dict[Any, Any]) -> Any:
    from qiskit_aer.noise import QuantumError

    require_keys(plain, "id", "num_qubits", "probabilities", "circuits")
    probabilities = plain["probabilities"]
    if type(probabilities) is list:
        probabilities = [require(float, probability) for probability in probabilities]
    else:
        probabilities = list(require_array(probabilities, "f", 1))
    circuits = circuits_from_plain(plain["circuits"], require(int, plain["num_qubits"]), document)
    error = QuantumError(list(zip(circuits, probabilities, strict=True)))
    if len(error.circuits) != len(circuits):
        raise ValueError("a circuit has no probability")
    error._probs = probabilities
    return _with_id(error, plain)


def _with_id(error: Any, plain: dict[str, Any]) -> Any:
    error._id = require(str, plain["id"])
    return error


def _pauli_error_to_plain(error: Any) -> dict[str, Any]:
    return {"id": error.id, "paulis": error.paulis, "probabilities": error.probabilities}


def _pauli_error_from_plain(plain: Any) -> Any:
    from qiskit.quantum_info import PauliList
    from qiskit_aer.noise import PauliError

    require_keys(plain, "id", "paulis", "probabilities")
    paulis = require(PauliList, plain["paulis"])
    return _with_id(PauliError(paulis, require_array(plain["probabilities"], "f", 1)), plain)


def _lindblad_error_to_plain(error: Any) -> dict[str, Any]:
    return {"id": error.id, "generators": error.generators, "rates": error.rates}


def _lindblad_error_from_plain(plain: Any) -> Any:
    from qiskit.quantum_info import PauliList
    from qiskit_aer.noise import PauliLindbladError

    require_keys(plain, "id", "generators", "rates")
    generators = require(PauliList, plain["generators"])
    return _with_id(PauliLindbladError(generators, require_array(plain["rates"], "f", 1)), plain)


def _readout_from_plain(plain: Any) -> Any:
    from qiskit_aer.noise import ReadoutError

    return ReadoutError(require_array(plain, "f", 2))


def _pass_to_plain(noise_pass: Any) -> dict[str, Any]:
    """Gives the parts of a pass as `NoiseModel.from_backend` adds it, for delays.

    Of a target it asks the durations of other instructions only, so that none is needed.
    """
    from qiskit.circuit import Delay

    if noise_pass._ops != (Delay,):
        raise TypeError("it adds noise to other instructions than delays, which cannot be sent")
    return {"t1s": noise_pass._t1s, "t2s": noise_pass._t2s, "p1s": noise_pass._p1s, "dt": noise_pass._dt}


def _pass_from_plain(plain: Any) -> Any:
    from qiskit.circuit import Delay
    from qiskit_aer.noise import RelaxationNoisePass

    require_keys(plain, "t1s", "t2s", "p1s", "dt")
    # Its base class cannot take arrays.
    t1s, t2s, p1s = (require_array(plain[name], "iuf", 1).tolist() for name in ("t1s", "t2s", "p1s"))
    if not len(t1s) == len(t2s) == len(p1s):
        raise ValueError("its times are not of the same qubits")
    if plain["dt"] is not None:
        require(float, plain["dt"])
    return RelaxationNoisePass(t1s, t2s, plain["dt"], Delay, p1s)


def _model_to_plain(model: Any) -> dict[str, Any]:
    """Gives every error once, and where each of them acts by its number."""
    errors: dict[int, tuple[int, Any]] = {}

    def number(error: Any) -> int:
        return errors.setdefault(id(error), (len(errors), error))[0]

    local = model._local_quantum_errors
    readout = model._default_readout_error
    return {
        "basis_gates": model.basis_gates,
        "noise_instructions": model.noise_instructions,
        "noise_qubits": model.noise_qubits,
        "default": {gate: number(error) for gate, error in model._default_quantum_errors.items()},
        "local": {
            gate: [[list(qubits), number(error)] for qubits, error in by_qubits.items()]
            for gate, by_qubits in local.items()
        },
        "default_readout": None if readout is None else number(readout),
        "local_readout": [
            [list(qubits), number(error)] for qubits, error in model._local_readout_errors.items()
        ],
        "passes": list(model._custom_noise_passes),
        "errors": [error for _, error in errors.values()],
    }


def _model_from_plain(plain: Any) -> Any:
    """Fills a model: its own methods would leave errors out, and join those of one gate."""
    from qiskit_aer.noise import NoiseModel, ReadoutError, RelaxationNoisePass
    from qiskit_aer.noise.errors.base_quantum_error import BaseQuantumError

    require_keys(plain, *_model_to_plain(NoiseModel()))
    quantum = _pick(plain["errors"], BaseQuantumError, lambda error: error.num_qubits)
    readout = _pick(plain["errors"], ReadoutError, lambda error: error.number_of_qubits)
    model = NoiseModel(_require_each(str, plain["basis_gates"]))
    model._basis_gates = set(plain["basis_gates"])
    model._noise_instructions = set(_require_each(str, plain["noise_instructions"]))
    model._noise_qubits = set(_require_each(int, plain["noise_qubits"]))
    for gate, number in require(dict, plain["default"]).items():
        model._default_quantum_errors[gate] = quantum(number, None)
    for gate, places in require(dict, plain["local"]).items():
        model._local_quantum_errors[gate] = _read_places(places, quantum)
    if plain["default_readout"] is not None:
        model._default_readout_error = readout(plain["default_readout"], None)
    model._local_readout_errors = _read_places(plain["local_readout"], readout)
    model._custom_noise_passes = _require_each(RelaxationNoisePass, plain["passes"])
    return model


def _pick(errors: Any, kind: type, num_qubits: Callable[[Any], int]) -> Callable[[Any, Any], Any]:
    """Gives what finds an error of one kind by its number, for this many qubits where that is known."""
    require(list, errors)

    def find(number: Any, qubits: int | None) -> Any:
        if not 0 <= require(int, number) < len(errors) or not isinstance(errors[number], kind):
            raise ValueError(f"there is no {kind.__name__} with the number {number}")
        if qubits is not None and num_qubits(errors[number]) != qubits:
            raise ValueError(f"the error with the number {number} is not of {qubits} qubits")
        return errors[number]

    return find


def _read_places(plain: Any, find: Callable[[Any, Any], Any]) -> dict[tuple[int, ...], Any]:
    found = {}
    for qubits, number in require(list, plain):
        found[tuple(_require_each(int, qubits))] = find(number, len(qubits))
    if len(found) != len(plain):
        raise ValueError("an error of the same qubits comes twice")
    return found


def _require_each(kind: type, plain: Any) -> list[Any]:
    return [require(kind, item) for item in require(list, plain)]


TYPES: Final = (
    TaggedType(
        "qiskit_aer.QuantumError",
        (f"{_NOISE}.errors.quantum_error.QuantumError",),
        _error_to_plain,
        _error_from_plain,
        in_document=True,
    ),
    TaggedType(
        "qiskit_aer.PauliError",
        (f"{_NOISE}.errors.pauli_error.PauliError",),
        _pauli_error_to_plain,
        _pauli_error_from_plain,
    ),
    TaggedType(
        "qiskit_aer.PauliLindbladError",
        (f"{_NOISE}.errors.pauli_lindblad_error.PauliLindbladError",),
        _lindblad_error_to_plain,
        _lindblad_error_from_plain,
    ),
    TaggedType(
        "qiskit_aer.ReadoutError",
        (f"{_NOISE}.errors.readout_error.ReadoutError",),
        lambda error: error.probabilities,
        _readout_from_plain,
    ),
    TaggedType(
        "qiskit_aer.RelaxationNoisePass",
        (f"{_NOISE}.passes.relaxation_noise_pass.RelaxationNoisePass",),
        _pass_to_plain,
        _pass_from_plain,
    ),
    TaggedType(
        "qiskit_aer.NoiseModel", (f"{_NOISE}.noise_model.NoiseModel",), _model_to_plain, _model_from_plain
    ),
)
