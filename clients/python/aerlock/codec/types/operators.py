"""Qiskit's operators, channels and states, with the dimensions of their subsystems."""

# ruff: noqa: ANN401  (an object of any type may come)

import math
from collections.abc import Callable
from typing import Any, Final

from aerlock.codec.tagged import TaggedType, require, require_array, require_keys

_MAX_SUBSYSTEMS: Final = 64
_MAX_DIMENSION: Final = 1 << 31
"""Of all subsystems together: a vector of as many amplitudes takes 32 GiB."""
_MATRIX: Final = "biufc"
_INFO: Final = "qiskit.quantum_info"
# Aer's are those of Qiskit, with numpy's attributes for programs of old.
_AER: Final = "qiskit_aer.backends.compatibility"


def require_dims(plain: Any) -> tuple[int, ...]:
    """``plain``, if it is a list of dimensions of subsystems; raises TypeError and ValueError otherwise."""
    dims = tuple(require(int, dimension) for dimension in require(list, plain))
    if len(dims) > _MAX_SUBSYSTEMS or min(dims, default=1) < 1 or math.prod(dims) > _MAX_DIMENSION:
        raise ValueError("its dimensions are not those of any subsystems")
    return dims


def add_qargs(operator: Any, plain: dict[str, Any]) -> dict[str, Any]:
    """Adds the qubits that the operator has been called with: ``operator(1, 2)``."""
    return plain if operator.qargs is None else {**plain, "qargs": list(operator.qargs)}


def take_qargs(plain: dict[str, Any], operator: Any) -> Any:
    """Undoes `add_qargs`."""
    if "qargs" not in plain:
        return operator
    return operator([require(int, qubit) for qubit in require(list, plain["qargs"])])


def _dims_to_plain(operator: Any) -> dict[str, Any]:
    shape = operator._op_shape
    # Qiskit takes these for others than those that are not told, and a constructor never makes them.
    if {2} in (set(shape._dims_l or ()), set(shape._dims_r or ())):
        raise TypeError("its qubits are told as dimensions: send x.reshape(x.input_dims(), x.output_dims())")
    plain = {"input_dims": list(operator.input_dims()), "output_dims": list(operator.output_dims())}
    return add_qargs(operator, plain)


def _operator_to_plain(operator: Any) -> dict[str, Any]:
    return {"data": operator.data, **_dims_to_plain(operator)}


def _operator_from_plain(plain: Any, class_of: Callable[[], Any]) -> Any:
    require_keys(plain, "data", "input_dims", "output_dims", optional=("qargs",))
    return _make_operator(plain, class_of(), require_array(plain["data"], _MATRIX, 2))


def _make_operator(plain: dict[str, Any], cls: Any, data: Any) -> Any:
    made = cls(
        data, input_dims=require_dims(plain["input_dims"]), output_dims=require_dims(plain["output_dims"])
    )
    return take_qargs(plain, made)


def _kraus_to_plain(channel: Any) -> dict[str, Any]:
    """Gives the operators on the left, and those on the right where they are others."""
    left, right = channel._data
    sides = {"left": left} if right is None else {"left": left, "right": right}
    return {**sides, **_dims_to_plain(channel)}


def _kraus_from_plain(plain: Any, class_of: Callable[[], Any]) -> Any:
    require_keys(plain, "left", "input_dims", "output_dims", optional=("right", "qargs"))
    left, right = _kraus_set(plain["left"]), None
    if "right" in plain:
        right = _kraus_set(plain["right"])
        if len(left) != len(right):
            raise ValueError("it has more operators on one side than on the other")
    return _make_operator(plain, class_of(), (left, right))


def _kraus_set(plain: Any) -> list[Any]:
    return [require_array(matrix, _MATRIX, 2) for matrix in require(list, plain)]


def _stinespring_from_plain(plain: Any, class_of: Callable[[], Any]) -> Any:
    require_keys(plain, "left", "input_dims", "output_dims", optional=("right", "qargs"))
    left = require_array(plain["left"], _MATRIX, 2)
    right = require_array(plain["right"], _MATRIX, 2) if "right" in plain else None
    return _make_operator(plain, class_of(), (left, right))


def _state_to_plain(state: Any) -> dict[str, Any]:
    return {"data": state.data, "dims": list(state.dims())}


def _statevector_from_plain(plain: Any, class_of: Callable[[], Any]) -> Any:
    require_keys(plain, "data", "dims")
    return class_of()(require_array(plain["data"], _MATRIX, 1), dims=require_dims(plain["dims"]))


def _density_matrix_from_plain(plain: Any, class_of: Callable[[], Any]) -> Any:
    require_keys(plain, "data", "dims")
    # Of a vector, Qiskit would make the matrix.
    return class_of()(require_array(plain["data"], _MATRIX, 2), dims=require_dims(plain["dims"]))


def _clifford_to_plain(clifford: Any) -> dict[str, Any]:
    return add_qargs(clifford, {"tableau": clifford.tableau})


def _clifford_from_plain(plain: Any) -> Any:
    from qiskit.quantum_info import Clifford

    require_keys(plain, "tableau", optional=("qargs",))
    tableau = require_array(plain["tableau"], "b", 2)
    rows, columns = tableau.shape
    if rows % 2 or columns != rows + 1:
        raise ValueError(f"a tableau of shape {tableau.shape} is none of a number of qubits")
    # That it is symplectic takes cubic time to check, and is not so of every Clifford that someone made.
    return take_qargs(plain, Clifford(tableau, validate=False, copy=False))


def _stabilizer_to_plain(state: Any) -> dict[str, Any]:
    return {"clifford": state.clifford}


def _stabilizer_from_plain(plain: Any, class_of: Callable[[], Any]) -> Any:
    from qiskit.quantum_info import Clifford

    require_keys(plain, "clifford")
    return class_of()(require(Clifford, plain["clifford"]), validate=False)


def _scalar_to_plain(operator: Any) -> dict[str, Any]:
    return add_qargs(operator, {"dims": list(operator.input_dims()), "coeff": operator.coeff})


def _scalar_from_plain(plain: Any) -> Any:
    from numpy import number
    from qiskit.quantum_info import ScalarOp

    require_keys(plain, "dims", "coeff", optional=("qargs",))
    if not isinstance(plain["coeff"], int | float | complex | number):
        raise TypeError(f"a {type(plain['coeff']).__name__} is no coefficient")
    return take_qargs(plain, ScalarOp(require_dims(plain["dims"]), plain["coeff"]))


def _of_qiskit(name: str) -> Callable[[], Any]:
    def find() -> Any:
        from qiskit import quantum_info

        return getattr(quantum_info, name)

    return find


def _of_aer(name: str) -> Callable[[], Any]:
    """Finds Aer's own class, or where Aer is not installed the one of Qiskit that it is made of."""

    def find() -> Any:
        try:
            from qiskit_aer.backends import compatibility
        except ImportError:
            return _of_qiskit(name)()
        return getattr(compatibility, name)

    return find


_ToPlain = Callable[[Any], object]
_FromPlain = Callable[[Any, Callable[[], Any]], Any]


def _type(name: str, path: str, to_plain: _ToPlain, from_plain: _FromPlain) -> TaggedType:
    class_of = _of_qiskit(name)
    return TaggedType(
        f"qiskit.{name}", (f"{_INFO}.{path}.{name}",), to_plain, lambda plain: from_plain(plain, class_of)
    )


def _aer_type(name: str, to_plain: _ToPlain, from_plain: _FromPlain) -> TaggedType:
    class_of = _of_aer(name)
    return TaggedType(
        f"qiskit_aer.{name}", (f"{_AER}.{name}",), to_plain, lambda plain: from_plain(plain, class_of)
    )


TYPES: Final = (
    _type("Operator", "operators.operator", _operator_to_plain, _operator_from_plain),
    _type("SuperOp", "operators.channel.superop", _operator_to_plain, _operator_from_plain),
    _type("Choi", "operators.channel.choi", _operator_to_plain, _operator_from_plain),
    _type("Chi", "operators.channel.chi", _operator_to_plain, _operator_from_plain),
    _type("PTM", "operators.channel.ptm", _operator_to_plain, _operator_from_plain),
    _type("Kraus", "operators.channel.kraus", _kraus_to_plain, _kraus_from_plain),
    _type("Stinespring", "operators.channel.stinespring", _kraus_to_plain, _stinespring_from_plain),
    _type("Statevector", "states.statevector", _state_to_plain, _statevector_from_plain),
    _type("DensityMatrix", "states.densitymatrix", _state_to_plain, _density_matrix_from_plain),
    _type("StabilizerState", "states.stabilizerstate", _stabilizer_to_plain, _stabilizer_from_plain),
    _aer_type("Operator", _operator_to_plain, _operator_from_plain),
    _aer_type("SuperOp", _operator_to_plain, _operator_from_plain),
    _aer_type("Statevector", _state_to_plain, _statevector_from_plain),
    _aer_type("DensityMatrix", _state_to_plain, _density_matrix_from_plain),
    _aer_type("StabilizerState", _stabilizer_to_plain, _stabilizer_from_plain),
    TaggedType(
        "qiskit.Clifford",
        (f"{_INFO}.operators.symplectic.clifford.Clifford",),
        _clifford_to_plain,
        _clifford_from_plain,
    ),
    TaggedType(
        "qiskit.ScalarOp", (f"{_INFO}.operators.scalar_op.ScalarOp",), _scalar_to_plain, _scalar_from_plain
    ),
)
