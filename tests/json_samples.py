"""An object of each type that tagged JSON carries."""

import json
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import numpy as np
import scipy.sparse
from qiskit import QuantumCircuit, quantum_info
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import CXGate, RXGate
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, PubResult, SamplerPubResult
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.result import Result
from qiskit.result.models import MeasLevel
from qiskit.transpiler import CouplingMap
from qiskit_aer.noise import NoiseModel, amplitude_damping_error, depolarizing_error

GOLDEN = json.loads((Path(__file__).parent / "unit/data/runtime_json_samples.json").read_text())["samples"]
"""By the same names as `OBJECTS`: what another package's encoder wrote of them."""

A = Parameter("a", uuid=UUID(int=1))
V = ParameterVector("v", 3, uuid=UUID(int=2))


class Custom:
    def to_json(self) -> str:
        return '{"custom": 1}'


class Optimizer:
    __module__ = "my_program"

    @property
    def settings(self) -> dict:
        return {"maxiter": 10, "resamplings": {1: 100, 2: 50}}


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell", metadata={"purpose": "sample"})
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.rx(A, 0)
    circuit.ry(V[1] * 2, 1)
    circuit.measure_all()
    return circuit


def flow() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2, name="flow")
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], True)):
        circuit.x(1)
    return circuit


def bits() -> BitArray:
    return BitArray.from_counts({"01": 3, "11": 2})


def objects_array() -> np.ndarray:
    array = np.empty((2, 2), dtype=object)
    array[0, 0], array[0, 1], array[1, 0], array[1, 1] = 1, "two", None, 1j
    return array


def noise() -> NoiseModel:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["x"])
    model.add_quantum_error(amplitude_damping_error(0.1), ["h"], [1])
    model.add_all_qubit_readout_error([[0.9, 0.1], [0.2, 0.8]])
    return model


def result() -> Result:
    experiment = {
        "shots": 4,
        "success": True,
        "data": {"counts": {"0x0": 1, "0x3": 3}, "statevector": np.array([1, 1j])},
        "meas_level": MeasLevel.CLASSIFIED,
        "header": {"name": "bell", "n_qubits": 2},
        "status": "DONE",
        "seed_simulator": 7,
    }
    return Result.from_dict(
        {
            "backend_name": "aer_simulator",
            "backend_version": "1",
            "job_id": "j",
            "success": True,
            "date": "2026-01-02T03:04:05",
            "status": "COMPLETED",
            "results": [experiment],
        }
    )


def estimator_pub() -> EstimatorPub:
    circuit = bell().remove_final_measurements(inplace=False)
    return EstimatorPub.coerce((circuit, ["ZZ"], {"a": 1.0, V[1]: 2.0}, 0.1))


OBJECTS = {
    "datetime": datetime(2026, 1, 2, 3, 4, 5, 678),
    "datetime_timezone": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-5))),
    "date": date(2026, 1, 2),
    "complex": 1.5 - 2j,
    "ndarray_float": np.arange(6.0).reshape(2, 3),
    "ndarray_fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "ndarray_complex_scalar": np.array(1j),
    "ndarray_bool_empty": np.zeros((0, 3), dtype=bool),
    "ndarray_structured": np.array([(1, 0.5), (2, 1.5)], dtype=[("n", "<i4"), ("x", "<f8")]),
    "ndarray_text": np.array(["ab", "c"]),
    "ndarray_object": objects_array(),
    "ndarray_extrapolator": np.array("linear", dtype=object),
    "set": {3},
    "np_int64": np.int64(7),
    "tuple": (1, [2, (3,)]),
    "int_keys": {1: "one", 2.5: "half", None: "null"},
    "not_finite": [float("inf"), float("-inf")],
    "callable": print,
    "Result": result(),
    "to_json": Custom(),
    "settings_unknown": Optimizer(),
    "QuantumCircuit": bell(),
    "QuantumCircuit_control_flow": flow(),
    "Parameter": A,
    "ParameterVectorElement": V[1],
    "ParameterView": bell().parameters,
    "Instruction": CXGate(),
    "Instruction_parameter": RXGate(A),
    "Pauli": quantum_info.Pauli("-iXY"),
    "PauliList": quantum_info.PauliList(["XY", "-iZZ"]),
    "SparsePauliOp": quantum_info.SparsePauliOp(["XX", "ZI"], [1, 2j]),
    "Operator": quantum_info.Operator(np.arange(12).reshape(2, 6), input_dims=(2, 3), output_dims=(2,)),
    "SuperOp": quantum_info.SuperOp(np.eye(4)),
    "Kraus": quantum_info.Kraus([np.eye(2) * 0.6, np.eye(2) * 0.8]),
    "Stinespring": quantum_info.Stinespring(np.eye(2)),
    "Choi": quantum_info.Choi(np.eye(4)),
    "Chi": quantum_info.Chi(np.eye(4)),
    "PTM": quantum_info.PTM(np.eye(4)),
    "Statevector": quantum_info.Statevector([1, 0, 0, 1j], dims=(4,)),
    "DensityMatrix": quantum_info.DensityMatrix(np.eye(2) / 2),
    "spmatrix_csr": scipy.sparse.csr_matrix([[0, 1], [2, 0]]),
    "spmatrix_csc": scipy.sparse.csc_matrix([[0, 1], [2, 0]]),
    "spmatrix_bsr": scipy.sparse.bsr_matrix(np.eye(4)),
    "spmatrix_coo": scipy.sparse.coo_matrix([[0, 1], [2, 0]]),
    "spmatrix_dia": scipy.sparse.dia_matrix(np.eye(3)),
    "NoiseModel": noise(),
    "CouplingMap": CouplingMap.from_line(3, bidirectional=False),
    "ObservablesArray": ObservablesArray([["XX", "ZZ"], [{"XY": 2}, "II"]]),
    "ObservablesArray_scalar": ObservablesArray("Z"),
    "BindingsArray": BindingsArray({("a", "b"): np.ones((3, 2)), "c": np.arange(3.0)}),
    "BitArray": bits(),
    "DataBin": DataBin(meas=bits(), evs=np.array(0.5)),
    "DataBin_shape": DataBin(evs=np.ones((2, 3)), shape=(2,)),
    "PubResult": PubResult(DataBin(evs=np.array(0.5)), {"precision": 0.1}),
    "SamplerPubResult": SamplerPubResult(DataBin(meas=bits()), {"shots": 5}),
    "PrimitiveResult": PrimitiveResult(
        [SamplerPubResult(DataBin(meas=bits())), SamplerPubResult(DataBin(c=bits()))], {"version": 2}
    ),
    "SamplerPub": SamplerPub.coerce((bell(), {"a": 1.0, V[1]: 2.0}, 5)),
    "EstimatorPub": estimator_pub(),
    "PauliLindbladMap": quantum_info.PauliLindbladMap.from_list([("XIZ", 0.5), ("YII", 0.25)]),
    "nested": {"result": [{"z": 1j, "circuits": [flow()]}, {2}]},
}

AS_JSON_HAS_IT = {
    "np_int64": 7,
    "tuple": [1, [2, [3]]],
    "int_keys": {"1": "one", "2.5": "half", "null": "null"},
    "callable": None,
    "to_json": '{"custom": 1}',
    "settings_unknown": {
        "__type__": "settings",
        "__module__": "my_program",
        "__class__": "Optimizer",
        "__value__": {"maxiter": 10, "resamplings": {"1": 100, "2": 50, "__int_keys__": True}},
    },
    "ParameterView": [A, V[1]],
    "CouplingMap": [[0, 1], [1, 2]],
    "SamplerPub": [bell(), np.array([1.0, 2.0]), 5],
    "EstimatorPub": [estimator_pub().circuit, [{"ZZ": 1.0}], np.array([1.0, 2.0]), 0.1],
}
"""What comes back of the objects that JSON does not bring back as they were."""
