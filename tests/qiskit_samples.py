"""Objects of Qiskit, Aer and scipy, one or more of each type that the codec carries."""

from collections.abc import Callable
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit import quantum_info as qi
from qiskit.circuit import Parameter, ParameterVector
from qiskit.primitives import (
    BitArray,
    DataBin,
    EstimatorResult,
    PrimitiveResult,
    PubResult,
    SamplerPubResult,
    SamplerResult,
    StatevectorEstimator,
    StatevectorSampler,
)
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.result import Counts, ProbDistribution, QuasiDistribution, Result
from qiskit.result.models import ExperimentResult, ExperimentResultData, MeasLevel, MeasReturnType
from qiskit.transpiler import CouplingMap
from qiskit_aer import AerSimulator, noise
from scipy import optimize, sparse

NAN, INF = float("nan"), float("inf")
RNG = np.random.default_rng(5)


def bell(*parameters: Any) -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    for parameter in parameters:
        circuit.rz(parameter, 0)
    return circuit


def measured_bell() -> QuantumCircuit:
    circuit = bell()
    circuit.measure_all()
    return circuit


def parametrised_sum() -> qi.SparsePauliOp:
    vector = ParameterVector("a", 2)
    return qi.SparsePauliOp(["XX", "YZ", "II"], np.array([vector[0], 2 * vector[1] + 1j, 0.5]))


def empty_paulis() -> qi.PauliList:
    return qi.PauliList(["XYZ"]).delete([0])


def aer_result() -> Result:
    circuit = bell()
    circuit.save_statevector(label="state")
    circuit.save_density_matrix(label="matrix")
    circuit.save_expectation_value(qi.Pauli("ZZ"), [0, 1], label="energy")
    circuit.save_probabilities_dict(label="probabilities")
    circuit.measure_all()
    circuit.metadata = {"tuple": (1, 2), 3: "int key"}
    return AerSimulator().run(circuit, shots=100, memory=True, seed_simulator=1).result()


def unusual_result() -> Result:
    data = ExperimentResultData(memory=np.ones((2, 3)) * 1j, state=qi.Statevector([1, 0]), none=None)
    experiments = [
        ExperimentResult((0, 5), True, data, MeasLevel.KERNELED, meas_return=MeasReturnType.SINGLE, seed=3),
        ExperimentResult(1, False, ExperimentResultData(), 2, meas_return="avg", header={"n": 1}, extra=b"x"),
    ]
    return Result(
        backend_name=None,
        job_id="j",
        success=False,
        results=experiments,
        date=np.datetime64("2026-01-01"),
        more=1,
    )


def no_result() -> Result:
    return Result(backend_name="b", status="failed", header={})


def changed_counts() -> Counts:
    counts = Counts({"0x0": 1, "0x3": 2}, time_taken=0.5, creg_sizes=[("a", 1), ("b", 1)], memory_slots=2)
    counts["1 1"] += 5
    return counts


def aer_state(name: str) -> Any:
    circuit = bell()
    getattr(circuit, f"save_{name}")()
    return (
        AerSimulator(method="superop" if name == "superop" else "automatic")
        .run(circuit)
        .result()
        .data()[name]
    )


def aer_stabilizer() -> Any:
    circuit = bell()
    circuit.save_stabilizer()
    return AerSimulator(method="stabilizer").run(circuit).result().data()["stabilizer"]


def kraus_error() -> noise.QuantumError:
    return noise.amplitude_damping_error(0.3).compose(noise.depolarizing_error(0.1, 1))


def named_error() -> noise.QuantumError:
    circuit = QuantumCircuit(1, name="kick", metadata={"by": "hand"})
    circuit.rx(0.25, 0)
    return noise.QuantumError([(circuit, 0.25), (QuantumCircuit(1), 0.75)])


def noise_model() -> noise.NoiseModel:
    shared = noise.depolarizing_error(0.01, 2)
    model = noise.NoiseModel(basis_gates=["rz", "sx", "ecr", "unitary"])
    model.add_all_qubit_quantum_error(shared, ["cx", "ecr"])
    model.add_quantum_error(shared, "cx", [1, 0])
    model.add_quantum_error(kraus_error(), ["x", "my_gate"], [3])
    model.add_quantum_error(noise.PauliError(["X", "I"], [0.1, 0.9]), "sx", [0])
    model.add_all_qubit_readout_error([[0.9, 0.1], [0.2, 0.8]])
    model.add_readout_error(noise.ReadoutError(np.full((4, 4), 0.25)), [2, 0])
    return model


def device_noise() -> noise.NoiseModel:
    return noise.NoiseModel.from_backend(GenericBackendV2(2, seed=1))


def lone_qubits() -> CouplingMap:
    coupling = CouplingMap([[0, 1], [1, 0], [3, 1]], description="ein Gerät")
    coupling.add_physical_qubit(4)
    return coupling


def bindings() -> BindingsArray:
    return BindingsArray({("a", "b"): RNG.random((3, 1, 2)), "c": RNG.random((3, 1, 1))}, shape=(3, 1))


def estimator_result() -> PrimitiveResult:
    pub = (bell(Parameter("t")), [[qi.SparsePauliOp("ZZ")], [qi.SparsePauliOp("XX")]], [[0.1], [0.2], [0.3]])
    return StatevectorEstimator(seed=1).run([pub]).result()


def dok_with_zero() -> sparse.dok_array:
    matrix = sparse.dok_array((2, 3), dtype=np.int64)
    matrix[1, 2], matrix[0, 1] = 5, 6
    matrix.setdefault((0, 0), np.int64(0))
    return matrix


def unsorted_csr() -> sparse.csr_matrix:
    parts = (np.array([1j, 2, 0, 4]), np.array([2, 0, 0, 1]), np.array([0, 3, 3, 4]))
    return sparse.csr_matrix(parts, shape=(3, 4))


def dense() -> np.ndarray:
    return np.array([[0, 1.5, 0, -0.0], [2, 0, 0, NAN]])


SAMPLES: dict[str, Callable[[], Any]] = {
    "Pauli": lambda: qi.Pauli("-iXYZI"),
    "Pauli called": lambda: qi.Pauli("XY")([4, 2]),
    "Pauli of none": lambda: qi.Pauli(""),
    "PauliList": lambda: qi.PauliList(["XY", "-iZZ", "iII", "-YY", "XY"]),
    "PauliList empty": empty_paulis,
    "SparsePauliOp": lambda: qi.SparsePauliOp(["XY", "YI", "XY"], [1, -2j, complex(-0.0, 0.5)]),
    "SparsePauliOp infinite": lambda: qi.SparsePauliOp(
        qi.PauliList(["Y"]), np.array([complex(INF, NAN)]), ignore_pauli_phase=True
    ),
    "SparsePauliOp empty": lambda: qi.SparsePauliOp(empty_paulis(), []),
    "SparsePauliOp parametrised": parametrised_sum,
    "SparseObservable": lambda: qi.SparseObservable.from_list([("XY+r", 2j), ("IIII", -0.0), ("01l-", NAN)]),
    "SparseObservable empty": lambda: qi.SparseObservable.zero(3),
    "PauliLindbladMap": lambda: qi.PauliLindbladMap.from_sparse_list(
        [("XZ", [2, 0], 0.5), ("", [], 0.25), ("XZ", [2, 0], -1)], 3
    ),
    "Operator": lambda: qi.Operator(RNG.random((8, 4)), input_dims=(2, 2), output_dims=(4, 2)),
    "Operator called": lambda: qi.Operator(bell())([1, 3]),
    "Operator of none": lambda: qi.Operator([[1j]]),
    "Operator column": lambda: qi.Operator(np.ones((3, 1))),
    "Operator in Fortran order": lambda: qi.Operator(np.asfortranarray(np.arange(16.0).reshape(4, 4))),
    "SuperOp": lambda: qi.SuperOp(np.eye(16)[:, :4]),
    "Choi": lambda: qi.Choi(np.eye(8), input_dims=(4,), output_dims=(2,)),
    "Chi": lambda: qi.Chi(qi.Operator(bell())),
    "PTM": lambda: qi.PTM(qi.Operator(bell())),
    "Kraus": lambda: qi.Kraus([np.eye(2), np.ones((2, 2))]),
    "Kraus of two sides": lambda: qi.Kraus(([np.eye(3)], [np.ones((3, 3))])),
    "Kraus of numbers": lambda: qi.Kraus(([np.eye(1)], [2 * np.eye(1)])),
    "Stinespring": lambda: qi.Stinespring(np.eye(8)[:, :2], output_dims=(2, 2)),
    "Stinespring of two sides": lambda: qi.Stinespring((np.eye(4)[:, :2], np.ones((4, 2)))),
    "Statevector": lambda: qi.Statevector(RNG.random(6) * 1j, dims=(3, 2)),
    "Statevector of one": lambda: qi.Statevector([1]),
    "DensityMatrix": lambda: qi.DensityMatrix(RNG.random((6, 6)), dims=(2, 3)),
    "Clifford": lambda: qi.Clifford(bell()),
    "StabilizerState": lambda: qi.StabilizerState(bell()),
    "ScalarOp": lambda: qi.ScalarOp((2, 3), np.complex64(2j)),
    "Aer's Statevector": lambda: aer_state("statevector"),
    "Aer's DensityMatrix": lambda: aer_state("density_matrix"),
    "Aer's Operator": lambda: aer_state("unitary"),
    "Aer's SuperOp": lambda: aer_state("superop"),
    "Aer's StabilizerState": aer_stabilizer,
    "Counts": lambda: Counts({"0 1": 3, "1 1": 4}),
    "Counts of numbers": lambda: Counts({3: 1, 0: 2}, time_taken=1.5),
    "Counts of hexadecimals": lambda: Counts({"0x1A": 1, "0x00": np.int64(2)}, memory_slots=6),
    "Counts of prefixed bits": lambda: Counts({"0b01": 1, "0b1": 2}),
    "Counts of registers": lambda: Counts({"01": 1, "11": 2}, creg_sizes=[["a", 1], ["b", 1]]),
    "Counts of dits": lambda: Counts({"02": 1, "12": 2.5}),
    "Counts of nothing": lambda: Counts({}),
    "Counts changed": changed_counts,
    "Counts of Aer": lambda: aer_result().get_counts(),
    "QuasiDistribution": lambda: QuasiDistribution({"011": 1.5, "000": -0.5}, 100, 0.25),
    "QuasiDistribution of numbers": lambda: QuasiDistribution({5: np.float64(0.5), 0: 0.5}),
    "QuasiDistribution empty": lambda: QuasiDistribution({}),
    "ProbDistribution": lambda: ProbDistribution({"0x3": 0.25, "0x0": 0.75}, shots=8),
    "MeasLevel": lambda: MeasLevel.RAW,
    "MeasReturnType": lambda: MeasReturnType.AVERAGE,
    "Result": aer_result,
    "Result unusual": unusual_result,
    "Result of none": no_result,
    "BitArray": lambda: BitArray(RNG.integers(0, 256, (2, 3, 10, 2), np.uint8), 11),
    "BitArray of no bits": lambda: BitArray(np.zeros((10, 0), np.uint8), 0),
    "DataBin": lambda: DataBin(
        shape=(2,), z=np.ones((2, 3)), a=BitArray(np.zeros((2, 5, 1), np.uint8), 3), text="t"
    ),
    "PubResult": lambda: PubResult(DataBin(evs=np.float64(1)), {"precision": 0.1}),
    "SamplerPubResult": lambda: SamplerPubResult(DataBin(), {"shots": (1, 2)}),
    "PrimitiveResult": lambda: PrimitiveResult([], {"version": 2}),
    "PrimitiveResult of a sampler": lambda: (
        StatevectorSampler(seed=1).run([measured_bell()], shots=9).result()
    ),
    "PrimitiveResult of an estimator": estimator_result,
    "ObservablesArray": lambda: ObservablesArray([["XX", {"ZZ": 0.5, "0+": 2}], ["YI", "ll"]]),
    "ObservablesArray of one": lambda: ObservablesArray.coerce("XYZ"),
    "ObservablesArray empty": lambda: ObservablesArray([], num_qubits=3),
    "ObservablesArray not simplified": lambda: ObservablesArray(
        [qi.SparseObservable.from_list([("X", 1), ("X", 2j)])], validate=False
    ),
    "BindingsArray": bindings,
    "BindingsArray empty": lambda: BindingsArray({}, shape=(2, 0)),
    "SamplerPub": lambda: SamplerPub.coerce((bell(Parameter("t")), [0.5, 1.5], 7)),
    "EstimatorPub": lambda: EstimatorPub.coerce(
        (bell(Parameter("t")), [["XX"], ["ZZ"]], [[0.1], [0.2]], 0.01)
    ),
    "EstimatorResult": lambda: EstimatorResult(np.array([0.5, -1]), [{"shots": 3}, {}]),
    "SamplerResult": lambda: SamplerResult([QuasiDistribution({0: 1.0})], [{}]),
    "QuantumError": kraus_error,
    "QuantumError named": named_error,
    "PauliError": lambda: noise.PauliError(["XX", "-ZI"], [0.25, 0.75]),
    "PauliLindbladError": lambda: noise.PauliLindbladError(["XX", "ZI"], [0.25, -0.5]),
    "ReadoutError": lambda: noise.ReadoutError([[0.9, 0.1], [0.2, 0.8]]),
    "RelaxationNoisePass": lambda: device_noise()._custom_noise_passes[0],
    "NoiseModel": noise_model,
    "NoiseModel of a device": device_noise,
    "NoiseModel empty": lambda: noise.NoiseModel([]),
    "CouplingMap": lone_qubits,
    "CouplingMap full": lambda: CouplingMap.from_full(4),
    "CouplingMap part": lambda: CouplingMap([[0, 1], [2, 3]]).connected_components()[1],
    "CouplingMap empty": CouplingMap,
    "csr unsorted": unsorted_csr,
    "csr of one dimension": lambda: sparse.csr_array(dense()[1]),
    "coo of three dimensions": lambda: sparse.coo_array(np.arange(8).reshape(2, 2, 2)),
    "coo twice": lambda: sparse.coo_matrix(([1.5, 2], ([1, 1], [0, 0])), shape=(2, 2)),
    "bsr of blocks": lambda: sparse.bsr_array(np.kron(np.eye(2), np.ones((2, 3))), blocksize=(2, 3)),
    "dia of offsets": lambda: sparse.dia_array((np.arange(8).reshape(2, 4), [-1, 2]), shape=(3, 4)),
    "dok with zero": dok_with_zero,
    "dok of one dimension": lambda: sparse.dok_array(dense()[1]),
    **{
        f"{layout}_{kind}": lambda name=f"{layout}_{kind}": getattr(sparse, name)(dense())
        for layout in ("csr", "csc", "bsr", "coo", "dia", "dok", "lil")
        for kind in ("matrix", "array")
    },
    "OptimizeResult": lambda: optimize.minimize(lambda x: (x**2).sum(), np.ones(2), method="L-BFGS-B"),
    "OptimizeResult of COBYLA": lambda: optimize.minimize(
        lambda x: (x**2).sum(), np.ones(2), method="COBYLA"
    ),
    "LbfgsInvHessProduct": lambda: optimize.LbfgsInvHessProduct(np.ones((2, 3)), np.ones((2, 3))),
    "transpiled in a pub": lambda: SamplerPub.coerce(
        generate_preset_pass_manager(1, GenericBackendV2(3, seed=1)).run(measured_bell())
    ),
}
