"""Qiskit's results of circuits: Result, counts and probabilities."""

# ruff: noqa: ANN401  (an object of any type may come)

from typing import Any, Final

from aerlock.codec.hashing import check_hashes
from aerlock.codec.tagged import TaggedType, require, require_keys

_COUNTS_NOTES: Final = ("time_taken", "creg_sizes", "memory_slots")
_RESULT_PARTS: Final = ("backend_name", "backend_version", "date", "header", "job_id", "status", "success")


def _counts_to_plain(counts: Any) -> dict[str, Any]:
    """Gives the counts; what else they know is left out where it is None."""
    notes = {name: getattr(counts, name) for name in _COUNTS_NOTES}
    plain = {"counts": dict(counts)} | {name: note for name, note in notes.items() if note is not None}
    if counts.hex_raw is None and counts.int_raw is None:
        return plain
    try:
        follows = _items(counts.int_raw) == _items(_by_number(dict(counts)))
        follows = follows and _items(counts.hex_raw) == _items(_by_hexadecimal(counts.int_raw))
    except (TypeError, ValueError, AttributeError):
        follows = False
    return {**plain, "raw": True if follows else {"int": counts.int_raw, "hex": counts.hex_raw}}


def _counts_from_plain(plain: Any) -> Any:
    from qiskit.result import Counts

    require_keys(plain, "counts", optional=(*_COUNTS_NOTES, "raw"))
    found = require(dict, plain["counts"])
    counts = Counts({})
    # Whatever the keys are, Counts would take them for numbers or for bits by the first of them.
    counts.update(found)
    counts.int_raw, counts.hex_raw = _raw_of(found, plain.get("raw"))
    for name in _COUNTS_NOTES:
        setattr(counts, name, plain.get(name))
    return counts


def _raw_of(counts: dict[Any, Any], raw: Any) -> tuple[Any, Any]:
    """Gives the counts by number and by hexadecimal number, as Counts keeps them."""
    if raw is None:
        return None, None
    if raw is True:
        by_number = _by_number(counts)
        return by_number, _by_hexadecimal(by_number)
    require_keys(raw, "int", "hex")
    for part in raw.values():
        if part is not None:
            require(dict, part)
    return raw["int"], raw["hex"]


def _by_number(counts: dict[Any, Any]) -> dict[int, Any]:
    numbers = [int(require(str, bits).replace(" ", "").replace("_", ""), 2) for bits in counts]
    check_hashes(numbers)
    return dict(zip(numbers, counts.values(), strict=True))


def _by_hexadecimal(counts: dict[int, Any]) -> dict[str, Any]:
    return {hex(number): shots for number, shots in counts.items()}


def _items(mapping: dict[Any, Any]) -> list[tuple[Any, type, Any]]:
    return [(key, type(value), value) for key, value in mapping.items()]


def _distribution_to_plain(distribution: Any) -> dict[str, Any]:
    probabilities = distribution.binary_probabilities()
    if _items(_by_number(probabilities)) != _items(dict(distribution)):
        raise ValueError("its keys are not numbers from 0 on")
    notes = {name: getattr(distribution, name, None) for name in ("shots", "stddev_upper_bound")}
    return {"probabilities": probabilities} | {name: note for name, note in notes.items() if note is not None}


def _quasi_from_plain(plain: Any) -> Any:
    from qiskit.result import QuasiDistribution

    require_keys(plain, "probabilities", optional=("shots", "stddev_upper_bound"))
    return QuasiDistribution(
        _require_bits(plain["probabilities"]), plain.get("shots"), plain.get("stddev_upper_bound")
    )


def _probabilities_from_plain(plain: Any) -> Any:
    from qiskit.result import ProbDistribution

    require_keys(plain, "probabilities", optional=("shots",))
    return ProbDistribution(_require_bits(plain["probabilities"]), plain.get("shots"))


def _require_bits(plain: Any) -> dict[str, Any]:
    """``plain``, if it is a map whose keys are different numbers in bits."""
    if any(set(require(str, bits)) - {"0", "1"} or not bits for bits in require(dict, plain)):
        raise ValueError("a key is not written in bits")
    if len(_by_number(plain)) != len(plain):
        raise ValueError("a number comes twice")
    return plain  # type: ignore[no-any-return]


def _result_to_plain(result: Any) -> dict[str, Any]:
    """Gives what `Result.to_dict()` gives; that fails where there are no results at all."""
    plain = {name: getattr(result, name) for name in _RESULT_PARTS}
    experiments = result.results
    if experiments is not None:
        experiments = [_experiment_to_plain(experiment) for experiment in experiments]
    return {**plain, "results": experiments, **result._metadata}


def _experiment_to_plain(experiment: Any) -> dict[str, Any]:
    plain: dict[str, Any] = experiment.to_dict()
    _check_fields(plain["data"])
    return plain


def _result_from_plain(plain: Any) -> Any:
    from qiskit.result import Result

    parts = dict(require(dict, plain))
    if missing := {*_RESULT_PARTS, "results"} - parts.keys():
        raise ValueError(f"it lacks {min(missing)}")
    experiments = parts.pop("results")
    if experiments is not None:
        experiments = [_experiment_from_plain(experiment) for experiment in require(list, experiments)]
    return Result(**parts, results=experiments)


def _experiment_from_plain(plain: Any) -> Any:
    from qiskit.result.models import ExperimentResult, ExperimentResultData

    parts = dict(require(dict, plain))
    data = require(dict, parts.pop("data", None))
    _check_fields(data)
    return ExperimentResult(**parts, data=ExperimentResultData(**data))


def _check_fields(data: dict[str, Any]) -> None:
    """Refuses data whose names would hide what the class itself needs."""
    from qiskit.result.models import ExperimentResultData

    for name in data:
        if name.startswith("__") or name == "_data_attributes" or hasattr(ExperimentResultData, name):
            raise ValueError(f"{name!r} is no name of data")


def _meas_level_from_plain(plain: Any) -> Any:
    from qiskit.result.models import MeasLevel

    return MeasLevel(require(int, plain))


def _meas_return_from_plain(plain: Any) -> Any:
    from qiskit.result.models import MeasReturnType

    return MeasReturnType(require(str, plain))


TYPES: Final = (
    TaggedType("qiskit.Counts", ("qiskit.result.counts.Counts",), _counts_to_plain, _counts_from_plain),
    TaggedType(
        "qiskit.QuasiDistribution",
        ("qiskit.result.distributions.quasi.QuasiDistribution",),
        _distribution_to_plain,
        _quasi_from_plain,
    ),
    TaggedType(
        "qiskit.ProbDistribution",
        ("qiskit.result.distributions.probability.ProbDistribution",),
        _distribution_to_plain,
        _probabilities_from_plain,
    ),
    TaggedType("qiskit.Result", ("qiskit.result.result.Result",), _result_to_plain, _result_from_plain),
    TaggedType("qiskit.MeasLevel", ("qiskit.result.models.MeasLevel",), int, _meas_level_from_plain),
    TaggedType(
        "qiskit.MeasReturnType",
        ("qiskit.result.models.MeasReturnType",),
        lambda kind: kind.value,
        _meas_return_from_plain,
    ),
)
