"""What Qiskit's primitives take and give: pubs, arrays of bindings and observables, results."""

# ruff: noqa: ANN401  (an object of any type may come)

import math
from collections.abc import Callable
from typing import Any, Final

from aerlock.codec.tagged import TaggedType, require, require_array, require_keys, require_shape

_CONTAINERS: Final = "qiskit.primitives.containers"
_MAX_EMPTY_SHOTS: Final = 1 << 24
"""Shots of no bits, which take no room in a message but time from whoever counts them."""


def _bits_to_plain(bits: Any) -> dict[str, Any]:
    return {"array": bits.array, "num_bits": bits.num_bits}


def _bits_from_plain(plain: Any) -> Any:
    from qiskit.primitives import BitArray

    require_keys(plain, "array", "num_bits")
    array, num_bits = require_array(plain["array"], "u"), require(int, plain["num_bits"])
    if num_bits < 0:
        raise ValueError("its number of bits is negative")
    if num_bits == 0 and math.prod(array.shape[:-1]) > _MAX_EMPTY_SHOTS:
        raise ValueError(f"it has more than {_MAX_EMPTY_SHOTS:,} shots of no bits")
    return BitArray(array, num_bits)


def _data_to_plain(data: Any) -> dict[str, Any]:
    fields = dict(data.items())
    _check_names(fields)
    return {"shape": list(data.shape), "fields": fields}


def _data_from_plain(plain: Any) -> Any:
    from qiskit.primitives import DataBin

    require_keys(plain, "shape", "fields")
    fields = require(dict, plain["fields"])
    _check_names(fields)
    return DataBin(shape=require_shape(plain["shape"]), **fields)


def _check_names(fields: dict[str, Any]) -> None:
    """Fields become attributes: none may hide what the class itself needs."""
    for name in fields:
        if name.startswith("__"):
            raise ValueError(f"{name!r} is no name of a field")


def _pub_result_to_plain(result: Any) -> dict[str, Any]:
    return {"data": result.data, "metadata": result.metadata}


def _pub_result_from_plain(class_name: str) -> Callable[[Any], Any]:
    def read(plain: Any) -> Any:
        from qiskit import primitives

        require_keys(plain, "data", "metadata")
        data = require(primitives.DataBin, plain["data"])
        return getattr(primitives, class_name)(data, _require_metadata(plain["metadata"]))

    return read


def _require_metadata(plain: Any) -> dict[Any, Any]:
    if not isinstance(plain, dict):
        raise TypeError(f"expected a dict of metadata, got {type(plain).__name__}")
    return plain


def _result_to_plain(result: Any) -> dict[str, Any]:
    return {"pub_results": list(result), "metadata": result.metadata}


def _result_from_plain(plain: Any) -> Any:
    from qiskit.primitives import PrimitiveResult, PubResult

    require_keys(plain, "pub_results", "metadata")
    for result in require(list, plain["pub_results"]):
        if not isinstance(result, PubResult):
            raise TypeError(f"a {type(result).__name__} is no result of a pub")
    return PrimitiveResult(plain["pub_results"], _require_metadata(plain["metadata"]))


def _observables_to_plain(observables: Any) -> dict[str, Any]:
    return {"num_qubits": observables.num_qubits, "observables": observables.sparse_observables_array()}


def _observables_from_plain(plain: Any) -> Any:
    """As they are: Qiskit's own reader would simplify them."""
    from numpy import ndarray
    from qiskit.primitives.containers.observables_array import ObservablesArray
    from qiskit.quantum_info import SparseObservable

    require_keys(plain, "num_qubits", "observables")
    array, num_qubits = require(ndarray, plain["observables"]), require(int, plain["num_qubits"])
    if array.dtype != object:
        raise TypeError("expected an array of objects")
    for observable in array.flat:
        if require(SparseObservable, observable).num_qubits != num_qubits:
            raise ValueError(f"an observable is not of {num_qubits} qubits")
    return ObservablesArray(array, num_qubits=num_qubits, copy=False, validate=False)


def _bindings_to_plain(bindings: Any) -> dict[str, Any]:
    pairs = [[list(names), values] for names, values in bindings.data.items()]
    return {"shape": list(bindings.shape), "values": pairs}


def _bindings_from_plain(plain: Any) -> Any:
    from qiskit.primitives.containers.bindings_array import BindingsArray

    require_keys(plain, "shape", "values")
    shape = require_shape(plain["shape"])
    pairs = require(list, plain["values"])
    values = {
        tuple(require(str, name) for name in require(list, names)): require_array(
            array, "f", dimensions=len(shape) + 1
        )
        for names, array in pairs
    }
    if len(values) != len(pairs):
        raise ValueError("the same parameters come twice")
    return BindingsArray(values, shape)


def _sampler_pub_to_plain(pub: Any) -> dict[str, Any]:
    return {"circuit": pub.circuit, "parameter_values": pub.parameter_values, "shots": pub.shots}


def _sampler_pub_from_plain(plain: Any) -> Any:
    from qiskit.primitives.containers.sampler_pub import SamplerPub

    require_keys(plain, "circuit", "parameter_values", "shots")
    return SamplerPub(*_circuit_and_values(plain), plain["shots"])


def _estimator_pub_to_plain(pub: Any) -> dict[str, Any]:
    return {
        "circuit": pub.circuit,
        "observables": pub.observables,
        "parameter_values": pub.parameter_values,
        "precision": pub.precision,
    }


def _estimator_pub_from_plain(plain: Any) -> Any:
    """Checks less than Qiskit, which writes every observable as text to tell how many qubits it has."""
    from qiskit.primitives.containers.estimator_pub import EstimatorPub
    from qiskit.primitives.containers.observables_array import ObservablesArray

    require_keys(plain, "circuit", "observables", "parameter_values", "precision")
    circuit, values = _circuit_and_values(plain)
    observables = require(ObservablesArray, plain["observables"])
    if observables.num_qubits != circuit.num_qubits and observables.size:
        raise ValueError("its observables are not of as many qubits as its circuit has")
    if values.num_parameters != circuit.num_parameters:
        raise ValueError("it has not as many values as its circuit has parameters")
    precision = plain["precision"]
    if precision is not None and not _require_real(precision) >= 0:
        raise ValueError("its precision is negative")
    return EstimatorPub(circuit, observables, values, precision, validate=False)


def _circuit_and_values(plain: dict[str, Any]) -> tuple[Any, Any]:
    from qiskit import QuantumCircuit
    from qiskit.primitives.containers.bindings_array import BindingsArray

    return require(QuantumCircuit, plain["circuit"]), require(BindingsArray, plain["parameter_values"])


def _require_real(plain: Any) -> float:
    from numpy import floating, integer

    if not isinstance(plain, int | float | integer | floating):
        raise TypeError(f"a {type(plain).__name__} is no precision")
    return plain  # type: ignore[return-value]


def _old_result_type(name: str, values: str) -> TaggedType:
    """Of the primitives' first version: values of some name, and metadata, one of each for every circuit."""

    def read(plain: Any) -> Any:
        from qiskit import primitives

        require_keys(plain, values, "metadata")
        return getattr(primitives, name)(plain[values], plain["metadata"])

    module = f"qiskit.primitives.base.{name.removesuffix('Result').lower()}_result"
    return TaggedType(
        f"qiskit.{name}",
        (f"{module}_v1.{name}", f"{module}.{name}"),
        lambda result: {values: getattr(result, values), "metadata": result.metadata},
        read,
    )


def _type(path: str, to_plain: Callable[[Any], object], from_plain: Callable[[Any], Any]) -> TaggedType:
    return TaggedType(f"qiskit.{path.split('.')[1]}", (f"{_CONTAINERS}.{path}",), to_plain, from_plain)


TYPES: Final = (
    _type("bit_array.BitArray", _bits_to_plain, _bits_from_plain),
    _type("data_bin.DataBin", _data_to_plain, _data_from_plain),
    _type("pub_result.PubResult", _pub_result_to_plain, _pub_result_from_plain("PubResult")),
    _type(
        "sampler_pub_result.SamplerPubResult",
        _pub_result_to_plain,
        _pub_result_from_plain("SamplerPubResult"),
    ),
    _type("primitive_result.PrimitiveResult", _result_to_plain, _result_from_plain),
    _type("observables_array.ObservablesArray", _observables_to_plain, _observables_from_plain),
    _type("bindings_array.BindingsArray", _bindings_to_plain, _bindings_from_plain),
    _type("sampler_pub.SamplerPub", _sampler_pub_to_plain, _sampler_pub_from_plain),
    _type("estimator_pub.EstimatorPub", _estimator_pub_to_plain, _estimator_pub_from_plain),
    _old_result_type("EstimatorResult", "values"),
    _old_result_type("SamplerResult", "quasi_dists"),
)
