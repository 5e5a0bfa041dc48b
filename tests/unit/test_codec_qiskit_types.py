"""Types of Qiskit, Aer and scipy: they come back with all their parts, and no hostile form harms."""

import contextlib
import copy
import resource
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from anatomy import anatomy
from qiskit_samples import SAMPLES, bell
from scipy import sparse

from aerlock import jsonview
from aerlock.codec import Tagged, check_value, from_value, to_value
from aerlock.codec.registry import BY_CLASS, TAGGED_TYPES
from aerlock.codec.tagged import path_of
from aerlock.v1.values_pb2 import Value

LIBRARIES = ("qiskit.", "qiskit_aer.", "scipy.")


@pytest.fixture(autouse=True)
def _quiet_aer():
    """Aer warns whoever looks at an attribute of its states."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def round_trip(obj: object) -> Any:
    value = Value.FromString(to_value(obj).SerializeToString())
    check_value(value, value.ByteSize())
    return from_value(value)


@pytest.mark.parametrize("name", SAMPLES)
def test_object_comes_back_with_all_its_parts(name):
    obj = SAMPLES[name]()
    before = anatomy(copy.deepcopy(obj))
    assert anatomy(round_trip(obj)) == before
    assert anatomy(obj) == before


def test_every_type_has_a_sample():
    paths = {path_of(type(make())) for make in SAMPLES.values()}
    elsewhere = ("qiskit._accelerate.circuit", "qiskit.circuit")
    for tagged in TAGGED_TYPES:
        if (
            tagged.tag.startswith(LIBRARIES)
            and tagged.classes
            and not tagged.classes[0].startswith(elsewhere)
        ):
            assert paths & set(tagged.classes), tagged.tag


STRANGERS = (None, True, -1, 2**70, 1.5, "x", "-iQ", b"x", [], {}, [[]], [-1], [2**62], [2**62] * 3, {"x": 1})


def mutations(plain: Any) -> Iterator[Any]:
    """The plain form with one thing in it that is wrong, or at least another."""
    yield from STRANGERS
    if isinstance(plain, dict):
        yield {**plain, "unknown": 1}
        yield {**plain, "__class__": 1}
        for key, part in plain.items():
            yield {other: item for other, item in plain.items() if other != key}
            yield from ({**plain, key: mutant} for mutant in mutations(part))
    elif isinstance(plain, list | tuple) and plain:
        yield plain[:-1]
        yield [*plain, plain[0]]
        yield from ([mutant, *plain[1:]] for mutant in mutations(plain[0]))
    elif isinstance(plain, np.ndarray):
        yield from array_mutations(plain)


def array_mutations(array: np.ndarray) -> Iterator[np.ndarray]:
    yield from (array[None], array.reshape(-1), array[..., :-1] if array.ndim else array[None, None])
    yield from (array.astype(object), np.full(array.shape, "x"), np.zeros((0, 0)), np.zeros((2**40, 0)))
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        for extreme in (limits.min, limits.max, 1, 3):
            for at in (0, -1, array.size // 2):
                changed = array.copy()
                if changed.size:
                    changed.flat[at] = extreme
                yield changed
    elif array.dtype.kind in "fc" and array.size:
        for extreme in (np.nan, np.inf, -1, 1e300):
            changed = array.copy()
            changed.flat[0] = extreme
            yield changed


def use(obj: Any) -> None:
    """Lets compiled code go through what came in."""
    with contextlib.suppress(Exception):
        repr(obj)
    if sparse.issparse(obj) and max(obj.shape, default=0) < 1_000:
        if obj.ndim == 2:
            obj.tocsr()
            obj @ np.ones(obj.shape[1])
        obj.toarray()


# Others of the same types are as good and take a tenth of the time.
LENGTHY = ("NoiseModel of a device", "Result", "transpiled in a pub")


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in LENGTHY])
def test_hostile_form_is_refused_or_read_in_bounded_time_and_memory(name):
    obj = SAMPLES[name]()
    tagged = BY_CLASS[path_of(type(obj))]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for mutant in mutations(tagged.to_plain(obj)):
        started = time.monotonic()
        try:
            value = to_value(Tagged(tagged.tag, mutant))
        except ValueError:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                use(from_value(value))
        except ValueError:
            refused += 1
        assert time.monotonic() - started < 5, mutant
    assert refused > 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10, "KiB"


def steps(*circuits: list) -> dict:
    return {
        "id": "x",
        "num_qubits": 1,
        "probabilities": np.full(len(circuits), 1 / len(circuits)),
        "circuits": list(circuits),
    }


def star(edges: int) -> np.ndarray:
    return np.stack([np.zeros(edges, int), np.arange(1, edges + 1)], axis=1)


def sparse_form(name: str, shape: list, **parts: Any) -> dict:
    arrays = {key: part if isinstance(part, list) else np.array(part) for key, part in parts.items()}
    return {"class": name, "shape": shape, **arrays}


HOSTILE = {
    "amplitudes of a huge register": ("qiskit.Statevector", {"data": np.ones(1), "dims": [2**31] * 64}),
    "vector that would be a matrix": ("qiskit.DensityMatrix", {"data": np.ones(100_000), "dims": [100_000]}),
    "circuit for a matrix": ("qiskit.Operator", {"data": bell(), "input_dims": [4], "output_dims": [4]}),
    "scalar of a huge space": ("qiskit.ScalarOp", {"dims": [2] * 100_000, "coeff": 1}),
    "labels of two lengths": ("qiskit.PauliList", {"paulis": ["XX", "-X"]}),
    "labels that make up for each other": ("qiskit.PauliList", {"paulis": ["XX", "-iX", "XXX"]}),
    "empty list of huge Paulis": ("qiskit.PauliList", {"paulis": [], "num_qubits": 10**12}),
    "factor in a sum": ("qiskit.SparsePauliOp", {"paulis": ["-X"], "coeffs": np.ones(1)}),
    "text for a coefficient": (
        "qiskit.SparsePauliOp",
        {"paulis": ["X"], "coeffs": np.array(["x"], dtype=object)},
    ),
    "boundaries that go down": (
        "qiskit.SparseObservable",
        {
            "num_qubits": 4,
            "coeffs": np.ones(2, complex),
            "letters": "Z",
            "qubits": np.zeros(1, np.uint32),
            "boundaries": np.array([0, 2, 1]),
        },
    ),
    "observable of all qubits": (
        "qiskit.SparseObservable",
        {
            "num_qubits": 2**32 - 1,
            "coeffs": np.ones(0),
            "letters": "",
            "qubits": np.zeros(0, np.uint32),
            "boundaries": np.zeros(1, int),
        },
    ),
    "shots of no bits": ("qiskit.BitArray", {"array": np.zeros((2**50, 0), np.uint8), "num_bits": 0}),
    "bits that disagree": ("qiskit.BitArray", {"array": np.zeros((4, 1), np.uint8), "num_bits": 9}),
    "negative bits": ("qiskit.BitArray", {"array": np.zeros((4, 0), np.uint8), "num_bits": -7}),
    "field that hides a method": ("qiskit.DataBin", {"shape": [], "fields": {"items": 1}}),
    "field that hides the class": ("qiskit.DataBin", {"shape": [], "fields": {"__class__": 1}}),
    "numbers of one hash": (
        "qiskit.Counts",
        {"counts": {bin(number * (2**61 - 1))[2:]: 1 for number in range(1, 2_000)}, "raw": True},
    ),
    "data that hides a method": (
        "qiskit.Result",
        {
            **dict.fromkeys(
                ("backend_name", "backend_version", "date", "header", "job_id", "status", "success")
            ),
            "results": [{"shots": 1, "success": True, "data": {"to_dict": 1}}],
        },
    ),
    "noise on a million qubits": ("qiskit_aer.QuantumError", {**steps([["x", [0]]]), "num_qubits": 2**20}),
    "noise beyond its qubits": ("qiskit_aer.QuantumError", steps([["x", [1]]])),
    "noise of another size": ("qiskit_aer.QuantumError", steps([["kraus", [0], [np.eye(4)]]])),
    "noise of an unknown gate": ("qiskit_aer.QuantumError", steps([["Initialize", [0], [1]]])),
    "many edges of one qubit": (
        "qiskit.CouplingMap",
        {"num_qubits": 50_001, "edges": star(50_000), "description": None, "multigraph": False},
    ),
    "qubits without number": (
        "qiskit.CouplingMap",
        {"num_qubits": 10**9, "edges": star(1), "description": None, "multigraph": False},
    ),
    # Nothing is stored by the last entry of indptr, so that scipy itself does not look further.
    "indptr that comes down": (
        "scipy.sparse",
        sparse_form("csr_matrix", [2, 2], data=np.ones(0), indices=np.zeros(0, np.int32), indptr=[0, 9, 0]),
    ),
    "index outside": (
        "scipy.sparse",
        sparse_form("csc_array", [2, 1], data=np.ones(1), indices=np.array([7]), indptr=np.array([0, 1])),
    ),
    "blocks of no size": (
        "scipy.sparse",
        sparse_form(
            "bsr_array", [2, 2], data=np.ones((0, 0, 2)), indices=np.zeros(0, int), indptr=np.zeros(3, int)
        ),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_form_is_refused(name):
    tag, plain = HOSTILE[name]
    with pytest.raises(ValueError, match=f"a value of type {tag} is malformed"):
        from_value(to_value(Tagged(tag, plain)))


def test_noise_of_many_errors_is_bounded_in_the_whole_document():
    error = {**steps([["x", [0]]]), "num_qubits": 200_000}
    assert round_trip(Tagged("qiskit_aer.QuantumError", error)).num_qubits == 200_000
    with pytest.raises(ValueError, match="of noise"):
        round_trip([Tagged("qiskit_aer.QuantumError", error)] * 2)


def test_dimensions_that_no_constructor_makes_are_refused_with_a_cure():
    from qiskit.quantum_info import Operator

    operator = Operator(np.eye(6), input_dims=(2, 3), output_dims=(2, 3)).compose(
        Operator(np.eye(3)[:2]), qargs=[1]
    )
    with pytest.raises(TypeError, match="reshape"):
        to_value(operator)
    mended = operator.reshape(operator.input_dims(), operator.output_dims())
    assert round_trip(mended) == mended


def test_noise_for_other_instructions_than_delays_is_refused():
    from qiskit.circuit.library import XGate
    from qiskit_aer.noise import NoiseModel, RelaxationNoisePass

    model = NoiseModel()
    model._custom_noise_passes.append(RelaxationNoisePass([1.0], [1.0], 1e-9, XGate))
    with pytest.raises(TypeError, match=r"value.passes\[0\].*other instructions than delays"):
        to_value(model)


def test_errors_of_one_model_stay_one():
    model = round_trip(SAMPLES["NoiseModel"]())
    assert model._default_quantum_errors["cx"] is model._local_quantum_errors["cx"][1, 0]
    assert model._default_quantum_errors["cx"] is model._default_quantum_errors["ecr"]


def test_view_shows_counts_and_probabilities_by_their_bits():
    view = jsonview.to_python(to_value([SAMPLES["Counts of Aer"](), SAMPLES["QuasiDistribution"]()]))
    assert view == [{"00": 52, "11": 48}, {"011": 1.5, "000": -0.5}]
    assert jsonview.to_python(to_value(Tagged("qiskit.Counts", [1]))) == {"__type__": "qiskit.Counts"}
