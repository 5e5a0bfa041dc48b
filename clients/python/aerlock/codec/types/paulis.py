"""Qiskit's Pauli operators: one, lists, sums of them with coefficients, and their sparse kin."""

# ruff: noqa: ANN401  (an object of any type may come)

from typing import Any, Final

from aerlock.codec.qpy_layout import MAX_QPY_BITS
from aerlock.codec.tagged import TaggedType, require, require_array, require_keys
from aerlock.codec.types.operators import add_qargs, take_qargs

_INFO: Final = "qiskit.quantum_info"
_SYMPLECTIC: Final = f"{_INFO}.operators.symplectic"
_PHASES: Final = {"": 0, "-i": 1, "-": 2, "i": 3}
"""The factors in front of a label, as powers of -i."""
# Qiskit's numbers of the factors that an observable is made of.
_LETTERS: Final = {2: "X", 3: "Y", 1: "Z", 10: "+", 6: "-", 11: "r", 7: "l", 9: "0", 5: "1"}
_TO_LETTERS: Final = bytes(ord(_LETTERS.get(number, "?")) for number in range(256))
_FROM_LETTERS: Final = bytes({ord(c): n for n, c in _LETTERS.items()}.get(letter, 0) for letter in range(256))


def _list_to_plain(paulis: Any) -> dict[str, Any]:
    plain = {"paulis": paulis.to_labels()}
    # Of an empty list nothing else tells it.
    return plain if plain["paulis"] else {**plain, "num_qubits": paulis.num_qubits}


def _list_from_plain(plain: dict[str, Any]) -> Any:
    """Makes a PauliList of the labels; raises TypeError and ValueError for anything else."""
    from numpy import zeros
    from qiskit.quantum_info import PauliList

    labels = require(list, plain["paulis"])
    if not labels:
        nothing = zeros((0, _require_qubits(plain.get("num_qubits"))), bool)
        return PauliList.from_symplectic(nothing, nothing, zeros(0, int))
    num_qubits = len(require(str, labels[0]).lstrip("-i"))
    if plain.get("num_qubits", num_qubits) != num_qubits:
        raise ValueError(f"its labels are not of {plain['num_qubits']} qubits")
    return PauliList.from_symplectic(*_read_labels(labels, num_qubits))


def _read_labels(labels: list[Any], num_qubits: int) -> tuple[Any, Any, Any]:
    """Gives Z and X of each qubit, and the phases; Qiskit's own reader takes ten times as long."""
    import numpy as np

    phases = [_PHASES.get(require(str, label)[: len(label) - num_qubits]) for label in labels]
    if None in phases or {len(label.lstrip("-i")) for label in labels} != {num_qubits}:
        raise ValueError(f"its labels are not all of {num_qubits} qubits with a factor of 1, i, -1 or -i")
    letters = np.frombuffer("".join(label.lstrip("-i") for label in labels).encode(), np.uint8)
    found = [letters == ord(letter) for letter in "IXYZ"]
    if letters.size != len(labels) * num_qubits or not np.logical_or.reduce(found).all():
        raise ValueError("a label has another letter than I, X, Y and Z")
    _, is_x, is_y, is_z = (each.reshape(len(labels), num_qubits)[:, ::-1] for each in found)
    return is_z | is_y, is_x | is_y, np.array(phases)


def _require_qubits(plain: Any) -> int:
    if not 0 <= require(int, plain) <= MAX_QPY_BITS:
        raise ValueError(f"{plain} is not from 0 to {MAX_QPY_BITS:,} qubits")
    return plain  # type: ignore[no-any-return]


def _pauli_to_plain(pauli: Any) -> dict[str, Any]:
    return add_qargs(pauli, {"label": pauli.to_label()})


def _pauli_from_plain(plain: Any) -> Any:
    require_keys(plain, "label", optional=("qargs",))
    return take_qargs(plain, _list_from_plain({"paulis": [plain["label"]]})[0])


def _pauli_list_to_plain(paulis: Any) -> dict[str, Any]:
    return add_qargs(paulis, _list_to_plain(paulis))


def _pauli_list_from_plain(plain: Any) -> Any:
    require_keys(plain, "paulis", optional=("num_qubits", "qargs"))
    return take_qargs(plain, _list_from_plain(plain))


def _sum_to_plain(operator: Any) -> dict[str, Any]:
    return add_qargs(operator, {**_list_to_plain(operator.paulis), "coeffs": operator.coeffs})


def _sum_from_plain(plain: Any) -> Any:
    from qiskit.quantum_info import SparsePauliOp

    require_keys(plain, "paulis", "coeffs", optional=("num_qubits", "qargs"))
    paulis = _list_from_plain(plain)
    if paulis.phase.any():
        raise ValueError("the factors of its labels belong to the coefficients")
    coeffs = _require_coefficients(plain["coeffs"])
    # It would multiply the coefficients with the phases otherwise, which makes another number of an infinity.
    return take_qargs(plain, SparsePauliOp(paulis, coeffs, ignore_pauli_phase=True, copy=False))


def _require_coefficients(plain: Any) -> Any:
    """Numbers, or expressions in an array of objects."""
    from numpy import ndarray, number
    from qiskit.circuit import ParameterExpression

    if type(plain) is not ndarray or plain.dtype != object:
        return require_array(plain, "biufc", 1)
    for coefficient in plain.flat:
        if not isinstance(coefficient, int | float | complex | number | ParameterExpression):
            raise TypeError(f"a {type(coefficient).__name__} is no coefficient")
    return plain


def _observable_to_plain(observable: Any) -> dict[str, Any]:
    from numpy import asarray

    return {
        "num_qubits": _require_qubits(observable.num_qubits),
        "coeffs": asarray(observable.coeffs),
        "letters": bytes(asarray(observable.bit_terms)).translate(_TO_LETTERS).decode(),
        "qubits": asarray(observable.indices),
        "boundaries": asarray(observable.boundaries),
    }


def _observable_from_plain(plain: Any) -> Any:
    """Qiskit's own check of the parts gives up on boundaries that go down."""
    import numpy as np
    from qiskit.quantum_info import SparseObservable

    require_keys(plain, "num_qubits", "coeffs", "letters", "qubits", "boundaries")
    num_qubits = _require_qubits(plain["num_qubits"])
    coeffs = require_array(plain["coeffs"], "biufc", 1).astype(complex)
    letters = require(str, plain["letters"]).encode("ascii").translate(_FROM_LETTERS)
    qubits = require_array(plain["qubits"], "iu", 1)
    boundaries = require_array(plain["boundaries"], "iu", 1)
    if len(boundaries) != len(coeffs) + 1 or boundaries[0] != 0 or boundaries[-1] != len(letters):
        raise ValueError("its boundaries do not divide its letters into as many terms as it has coefficients")
    if (boundaries[1:] < boundaries[:-1]).any():
        raise ValueError("its boundaries go down")
    if len(qubits) != len(letters) or (len(qubits) and not 0 <= qubits.min() <= qubits.max() < num_qubits):
        raise ValueError("its letters are not each on one of its qubits")
    return SparseObservable.from_raw_parts(
        num_qubits,
        coeffs,
        np.frombuffer(letters, np.uint8),
        qubits.astype(np.uint32),
        boundaries.astype(np.uintp),
    )


def _lindblad_to_plain(pauli_map: Any) -> dict[str, Any]:
    terms = pauli_map.to_sparse_list()
    return {
        "num_qubits": _require_qubits(pauli_map.num_qubits),
        "rates": pauli_map.rates,
        "paulis": [[letters, list(qubits)] for letters, qubits, _ in terms],
    }


def _lindblad_from_plain(plain: Any) -> Any:
    from qiskit.quantum_info import PauliLindbladMap

    require_keys(plain, "num_qubits", "rates", "paulis")
    rates = require_array(plain["rates"], "f", 1).tolist()
    terms = [
        (require(str, letters), [_require_qubits(qubit) for qubit in require(list, qubits)], rate)
        for (letters, qubits), rate in zip(require(list, plain["paulis"]), rates, strict=True)
    ]
    return PauliLindbladMap.from_sparse_list(terms, num_qubits=_require_qubits(plain["num_qubits"]))


TYPES: Final = (
    TaggedType("qiskit.Pauli", (f"{_SYMPLECTIC}.pauli.Pauli",), _pauli_to_plain, _pauli_from_plain),
    TaggedType(
        "qiskit.PauliList",
        (f"{_SYMPLECTIC}.pauli_list.PauliList",),
        _pauli_list_to_plain,
        _pauli_list_from_plain,
    ),
    TaggedType(
        "qiskit.SparsePauliOp",
        (f"{_SYMPLECTIC}.sparse_pauli_op.SparsePauliOp",),
        _sum_to_plain,
        _sum_from_plain,
    ),
    TaggedType(
        "qiskit.SparseObservable",
        (f"{_INFO}.SparseObservable",),
        _observable_to_plain,
        _observable_from_plain,
    ),
    TaggedType(
        "qiskit.PauliLindbladMap", (f"{_INFO}.PauliLindbladMap",), _lindblad_to_plain, _lindblad_from_plain
    ),
)
