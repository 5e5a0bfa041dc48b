"""How Qiskit's and Aer's types stand in tagged JSON."""

# ruff: noqa: ANN401  (an object of any type may come)

import io
import json
import struct
import warnings
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from aerlock.codec.qpy import MAX_QPY_BITS, check_qpy, write_circuit
from aerlock.codec.runtime_json import payloads
from aerlock.codec.runtime_json.document import current_document
from aerlock.codec.runtime_json.python_types import Tagged, require_plain, tagged
from aerlock.codec.runtime_json.settings import read_settings
from aerlock.codec.tagged import require

_BYTES_OF_A_BIT: Final = 256
"""What a qubit or a parameter of a vector takes in memory, rounded up."""
_PARAMETER: Final = struct.Struct("!H16s")
"""QPY's form of a parameter: the size of its name, its UUID; the name follows."""


def _write_circuit(circuit: Any) -> Tagged:
    return tagged("QuantumCircuit", _write_qpy(circuit))


def _write_qpy(circuit: Any) -> str:
    from aerlock.codec.runtime_json.encoder import RuntimeEncoder

    return payloads.pack(write_circuit(circuit, metadata_serializer=RuntimeEncoder))


def _read_circuit(text: str) -> Any:
    from qiskit import qpy

    from aerlock.codec.runtime_json.decoder import RuntimeDecoder

    data = payloads.unpack(text)
    check_qpy(data)
    (circuit,) = qpy.load(io.BytesIO(data), metadata_deserializer=RuntimeDecoder)
    # A few bytes of QPY can announce a hundred thousand bits.
    current_document().take(_BYTES_OF_A_BIT * (circuit.num_qubits + circuit.num_clbits))
    return circuit


def _write_instruction(instruction: Any) -> Tagged:
    """Writes a circuit of the instruction alone."""
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(instruction.num_qubits, instruction.num_clbits)
    circuit.append(instruction, circuit.qubits, circuit.clbits)
    return tagged("Instruction", _write_qpy(circuit))


def _read_instruction(text: str) -> Any:
    (instruction,) = _read_circuit(text).data
    return instruction.operation


def _write_parameter(parameter: Any) -> Tagged:
    name = parameter.name.encode()
    text = payloads.to_base64(_PARAMETER.pack(len(name), parameter.uuid.bytes) + name)
    if not hasattr(parameter, "vector"):
        return tagged("Parameter", text)
    # The original knows no vectors: it reads an element as a parameter of the same name and UUID.
    vector = parameter.vector
    return tagged("Parameter", text, vector=[vector.name, len(vector), parameter.index])


def _read_parameter(text: str, vector: list[Any] | None) -> Any:
    from qiskit.circuit import Parameter

    data = payloads.from_base64(text)
    size, uuid = _PARAMETER.unpack_from(data)
    if len(data) != _PARAMETER.size + size:
        raise ValueError("the payload is cut short, or followed by something else")
    if vector is None:
        return Parameter(data[_PARAMETER.size :].decode(), uuid=UUID(bytes=uuid))
    return _read_element(UUID(bytes=uuid), *vector)


def _read_element(uuid: UUID, name: str, length: int, index: int) -> Any:
    """Reads an element of a vector; those of one vector in one document share it."""
    from qiskit.circuit import ParameterVector

    document = current_document()
    root = UUID(int=uuid.int - require(int, index))
    if root not in document.vectors:
        document.take(_BYTES_OF_A_BIT * require(int, length))
        document.vectors[root] = ParameterVector(require(str, name), length, uuid=root)
    vector = document.vectors[root]
    if (vector.name, len(vector)) != (name, length) or not 0 <= index < length:
        raise ValueError(f"the parameter vector {name!r} contradicts itself")
    return vector[index]


def _refuse_expression(found: Tagged) -> Any:
    raise ValueError(
        "the original's form of a ParameterExpression is source text for a symbolic library, "
        "which is not read: write it anew with a RuntimeEncoder of today"
    )


def _read_result(plain: dict[str, Any]) -> Any:
    from qiskit.result import Result
    from qiskit.result.models import MeasLevel

    for experiment in plain["results"]:
        if experiment.get("meas_level") is not None:
            experiment["meas_level"] = MeasLevel(experiment["meas_level"])
    return Result.from_dict(plain)


def _read_observables(nested: Any) -> Any:
    from qiskit.primitives.containers.observables_array import ObservablesArray

    return ObservablesArray(require_plain(nested))


def _write_bindings(bindings: Any) -> Tagged:
    data = {json.dumps(names): values for names, values in bindings.data.items()}
    return tagged("BindingsArray", {"shape": list(bindings.shape), "data": data})


def _read_bindings(value: dict[str, Any]) -> Any:
    from qiskit.primitives.containers.bindings_array import BindingsArray

    from aerlock.codec.runtime_json.decoder import RuntimeDecoder

    data = {
        tuple(require(str, name) for name in RuntimeDecoder().decode(names)): values
        for names, values in require_plain(value["data"]).items()
    }
    return BindingsArray(data, tuple(value["shape"]))


def _read_bit_array(value: dict[str, Any]) -> Any:
    from qiskit.primitives import BitArray

    return BitArray(value["array"], require(int, value["num_bits"]))


def _write_data_bin(data: Any) -> Tagged:
    value = {"field_names": list(data), "shape": list(data.shape), "fields": dict(data.items())}
    return tagged("DataBin", value)


def _read_data_bin(value: dict[str, Any]) -> Any:
    from qiskit.primitives import DataBin

    fields = require(dict, value["fields"])
    # Fields become attributes.
    if hidden := [name for name in fields if name.startswith("__")]:
        raise ValueError(f"{hidden[0]!r} is no name of a field")
    return DataBin(**fields, shape=tuple(value["shape"] or ()))


def _write_pub_result(tag: str) -> Callable[[Any], Tagged]:
    return lambda result: tagged(tag, {"data": result.data, "metadata": result.metadata})


def _read_pub_result(class_name: str, value: dict[str, Any]) -> Any:
    from qiskit import primitives

    metadata = require(dict, value["metadata"])
    return getattr(primitives, class_name)(require(primitives.DataBin, value["data"]), metadata)


def _write_primitive_result(result: Any) -> Tagged:
    return tagged("PrimitiveResult", {"pub_results": list(result), "metadata": result.metadata})


def _read_primitive_result(value: dict[str, Any]) -> Any:
    from qiskit.primitives import PrimitiveResult, PubResult

    pub_results = require(list, value["pub_results"])
    if not all(isinstance(result, PubResult) for result in pub_results):
        raise TypeError("pub_results must be results of pubs")
    return PrimitiveResult(pub_results, require(dict, value["metadata"]))


def _write_estimator_pub(pub: Any) -> list[Any]:
    values = pub.parameter_values.as_array(pub.circuit.parameters)
    return [pub.circuit, pub.observables.tolist(), values, pub.precision]


def _write_sampler_pub(pub: Any) -> list[Any]:
    return [pub.circuit, pub.parameter_values.as_array(pub.circuit.parameters), pub.shots]


def _write_lindblad_map(pauli_map: Any) -> Tagged:
    value = {"paulis": pauli_map.to_sparse_list(), "num_qubits": pauli_map.num_qubits}
    return tagged("PauliLindbladMap", value)


def _read_lindblad_map(value: dict[str, Any]) -> Any:
    from qiskit.quantum_info import PauliLindbladMap

    terms = [tuple(term) for term in require_plain(value["paulis"])]
    return PauliLindbladMap.from_sparse_list(terms, num_qubits=require(int, value["num_qubits"]))


def _read_noise_model(value: dict[str, Any]) -> Any:
    from qiskit_aer.noise import NoiseModel

    for error in require_plain(value)["errors"]:
        for circuit in error.get("instructions", ()):
            _check_noise_circuit(circuit)
    with warnings.catch_warnings():
        # Aer deprecates reading this form, and still writes it.
        warnings.simplefilter("ignore", DeprecationWarning)
        return NoiseModel.from_dict(value)


def _check_noise_circuit(circuit: list[dict[str, Any]]) -> None:
    for instruction in circuit:
        for qubit in instruction["qubits"]:
            if not 0 <= require(int, qubit) < MAX_QPY_BITS:
                raise ValueError(f"an error acts on qubit {qubit}")
            current_document().take(_BYTES_OF_A_BIT * qubit)


WRITERS: Final[dict[str, Callable[[Any], Any]]] = {
    "qiskit.QuantumCircuit": _write_circuit,
    "qiskit.Instruction": _write_instruction,
    "qiskit.Parameter": _write_parameter,
    "qiskit.ParameterView": list,
    "qiskit.CouplingMap": list,
    "qiskit.Result": lambda result: tagged("Result", result.to_dict()),
    "qiskit.ObservablesArray": lambda array: tagged("ObservablesArray", array.tolist()),
    "qiskit.BindingsArray": _write_bindings,
    "qiskit.BitArray": lambda bits: tagged("BitArray", {"array": bits.array, "num_bits": bits.num_bits}),
    "qiskit.DataBin": _write_data_bin,
    "qiskit.EstimatorPub": _write_estimator_pub,
    "qiskit.SamplerPub": _write_sampler_pub,
    "qiskit.PubResult": _write_pub_result("PubResult"),
    "qiskit.SamplerPubResult": _write_pub_result("SamplerPubResult"),
    "qiskit_ibm_runtime.EstimatorPubResult": _write_pub_result("EstimatorPubResult"),
    "qiskit.PrimitiveResult": _write_primitive_result,
    "qiskit.PauliLindbladMap": _write_lindblad_map,
    "qiskit_aer.NoiseModel": lambda model: tagged("NoiseModel", model.to_dict()),
}
"""By the top-level package and the name of a class: what JSON says for its objects."""

READERS: Final[dict[str, Callable[[Tagged], Any]]] = {
    "QuantumCircuit": lambda found: _read_circuit(found["__value__"]),
    "Instruction": lambda found: _read_instruction(found["__value__"]),
    "Parameter": lambda found: _read_parameter(found["__value__"], found.get("__vector__")),
    "ParameterExpression": _refuse_expression,
    "Result": lambda found: _read_result(found["__value__"]),
    "ObservablesArray": lambda found: _read_observables(found["__value__"]),
    "BindingsArray": lambda found: _read_bindings(found["__value__"]),
    "BitArray": lambda found: _read_bit_array(found["__value__"]),
    "DataBin": lambda found: _read_data_bin(found["__value__"]),
    "PubResult": lambda found: _read_pub_result("PubResult", found["__value__"]),
    "SamplerPubResult": lambda found: _read_pub_result("SamplerPubResult", found["__value__"]),
    # A class of qiskit-ibm-runtime, which adds a way to draw it.
    "EstimatorPubResult": lambda found: _read_pub_result("PubResult", found["__value__"]),
    "PrimitiveResult": lambda found: _read_primitive_result(found["__value__"]),
    "PauliLindbladMap": lambda found: _read_lindblad_map(found["__value__"]),
    "NoiseModel": lambda found: _read_noise_model(found["__value__"]),
    "settings": read_settings,
}
"""By tag: what a tagged object stands for, the values inside it being read already."""
