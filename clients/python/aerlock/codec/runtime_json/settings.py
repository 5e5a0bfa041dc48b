"""Qiskit's operators and states by their settings: the classes that come back as themselves.

The original imports whatever class the JSON names. Here a name only selects a
line of `_BUILDERS`, and what the class gets is checked before, since many of them
make matrices of whatever can be made one.
"""

# ruff: noqa: ANN401  (an object of any type may come)

import copy
from collections.abc import Callable
from typing import Any, Final

from aerlock.codec.runtime_json.python_types import Tagged, is_numeric_array, tagged
from aerlock.codec.tagged import require


def write_settings(obj: Any) -> Tagged:
    """Writes the class and the settings of ``obj``."""
    cls = type(obj)
    settings = _flag_int_keys(copy.deepcopy(obj.settings))
    return tagged("settings", settings, module=cls.__module__, **{"class": cls.__name__})


def read_settings(found: Tagged) -> Any:
    """Makes the object of a known class; one of any other stays the JSON object that it is."""
    module, name = found.get("__module__"), found.get("__class__")
    if not (isinstance(module, str) and isinstance(name, str) and name in _BUILDERS):
        return found
    if not module.startswith("qiskit.quantum_info."):
        return found
    return _BUILDERS[name](name, require(dict, found["__value__"]))


def _flag_int_keys(settings: Any) -> Any:
    """Marks the dicts in which a key was an integer, which JSON makes a string."""
    if not isinstance(settings, dict):
        return settings
    flagged = {key: _flag_int_keys(item) for key, item in settings.items()}
    return flagged | {"__int_keys__": True} if any(isinstance(key, int) for key in settings) else flagged


def _make(name: str, data: Any, settings: dict[str, Any]) -> Any:
    from qiskit import quantum_info

    dimensions = {key: _dimensions(lengths) for key, lengths in settings.items() if key != "data"}
    return getattr(quantum_info, name)(data, **dimensions)


def _dimensions(lengths: Any) -> tuple[int, ...]:
    return tuple(require(int, length) for length in require(list, lengths))


def _only(settings: dict[str, Any], *keys: str) -> list[Any]:
    if unknown := settings.keys() - keys:
        raise ValueError(f"it has no setting {min(unknown)!r}")
    return [settings[key] for key in keys]


def _read_matrix(name: str, settings: dict[str, Any]) -> Any:
    return _make(name, _matrix(settings["data"]), settings)


def _matrix(data: Any) -> Any:
    if not is_numeric_array(data):
        raise TypeError(f"expected an array of numbers, got {type(data).__name__}")
    return data


def _read_stinespring(name: str, settings: dict[str, Any]) -> Any:
    data = settings["data"]
    pair = isinstance(data, list)
    return _make(name, tuple(_matrix(part) for part in data) if pair else _matrix(data), settings)


def _read_kraus(name: str, settings: dict[str, Any]) -> Any:
    """A list of matrices, or a pair of such lists where left and right differ."""
    data = require(list, settings["data"])
    if data and isinstance(data[0], list):
        left, right = data
        return _make(name, ([_matrix(part) for part in left], [_matrix(part) for part in right]), settings)
    return _make(name, [_matrix(part) for part in data], settings)


def _read_pauli(name: str, settings: dict[str, Any]) -> Any:
    from qiskit.quantum_info import Pauli

    (label,) = _only(settings, "data")
    return Pauli(require(str, label))


def _read_pauli_list(name: str, settings: dict[str, Any]) -> Any:
    from qiskit.quantum_info import PauliList

    (labels,) = _only(settings, "data")
    return PauliList([require(str, label) for label in require(list, labels)])


def _read_sparse_pauli_op(name: str, settings: dict[str, Any]) -> Any:
    from qiskit.circuit import ParameterExpression
    from qiskit.quantum_info import PauliList, SparsePauliOp

    paulis, coefficients = _only(settings, "data", "coeffs")
    if not is_numeric_array(coefficients):
        for coefficient in coefficients.flat:
            if not isinstance(coefficient, int | float | complex | ParameterExpression):
                raise TypeError(f"a coefficient is a {type(coefficient).__name__}")
    return SparsePauliOp(require(PauliList, paulis), coefficients)


_BUILDERS: Final[dict[str, Callable[[str, dict[str, Any]], Any]]] = {
    "Chi": _read_matrix,
    "Choi": _read_matrix,
    "DensityMatrix": _read_matrix,
    "Kraus": _read_kraus,
    "Operator": _read_matrix,
    "PTM": _read_matrix,
    "Pauli": _read_pauli,
    "PauliList": _read_pauli_list,
    "SparsePauliOp": _read_sparse_pauli_op,
    "Statevector": _read_matrix,
    "Stinespring": _read_stinespring,
    "SuperOp": _read_matrix,
}
