"""Tagged JSON of somebody who means harm: refused soon, in little memory, without a side effect."""

import contextlib
import io
import json
import subprocess
import sys
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
import scipy.sparse
from equality import same
from hypothesis import given
from hypothesis import strategies as st
from json_samples import GOLDEN, bell
from qiskit import QuantumCircuit, qpy, quantum_info

from aerlock import RuntimeDecoder
from aerlock.codec.runtime_json import document, payloads
from aerlock.codec.runtime_json.registry import MAX_DEPTH, READERS


def loads(text: str) -> object:
    return json.loads(text, cls=RuntimeDecoder)


def tagged(tag: str, value: object, **more: object) -> str:
    return json.dumps({"__type__": tag, "__value__": value, **more})


def packed(data: bytes) -> str:
    return payloads.pack(data)


@pytest.fixture
def little_room(monkeypatch):
    """Documents may expand to 1 MiB."""
    monkeypatch.setattr(document, "MAX_EXPANDED_BYTES", 1 << 20)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def npy_header(shape: str, descr: str = "'<f8'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def npz(compression: int = zipfile.ZIP_DEFLATED, **parts: object) -> str:
    matrix = {
        "format": np.array(b"csr"),
        "shape": np.array([2, 2]),
        "data": np.ones(2),
        "indices": np.array([0, 1]),
        "indptr": np.array([0, 1, 2]),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, array in (matrix | parts).items():
            archive.writestr(f"{name}.npy", npy(np.asarray(array)))
    return payloads.to_base64(buffer.getvalue())


def circuit_payload(circuit: QuantumCircuit, version: int | None = None) -> str:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    data = bytearray(buffer.getvalue())
    if version is not None:
        data[6] = version
    return packed(bytes(data))


def colliding(count: int) -> list[int]:
    return [number * (2**61 - 1) for number in range(1, count + 1)]


class Boom:
    def __reduce__(self):
        return print, ("this must never be unpickled",)


def settings(name: str, module: str = "qiskit.quantum_info.operators", **values: object) -> str:
    return tagged("settings", values, __module__=module, __class__=name)


MALFORMED = {
    "array cut short": (tagged("ndarray", packed(npy(np.arange(9)))[:-8]), "malformed"),
    "array of no zlib": (tagged("ndarray", "AAAA"), "zlib"),
    "array of no base64": (tagged("ndarray", "§"), "malformed"),
    "array of no npy": (tagged("ndarray", packed(b"something else")), "npy"),
    "array with a tail": (tagged("ndarray", packed(npy(np.arange(3)) + b"tail")), "shape"),
    "pickled array": (tagged("ndarray", packed(npy(np.array([Boom()], dtype=object)))), "pickled"),
    "pickle": (tagged("ndarray", packed(b"cos\nsystem\n(S'true'\ntR.")), "npy"),
    "array larger than its bytes": (tagged("ndarray", packed(npy_header("(10**12,)"))), "npy"),
    "array of a trillion": (tagged("ndarray", packed(npy_header("(1000000000000,)"))), "shape"),
    "array beyond addresses": (tagged("ndarray", packed(npy_header(f"(0, {2**62}, {2**62})"))), "npy"),
    "array of negative length": (tagged("ndarray", packed(npy_header("(-1,)") + bytes(8))), "shape"),
    "a trillion nothings": (tagged("ndarray", packed(npy_header("(1000000000000,)", "'V0'"))), "shape"),
    "array header as a program": (tagged("ndarray", packed(npy_header("print('x')"))), "npy"),
    "array header nested": (tagged("ndarray", packed(npy_header("(" * 5_000 + ")" * 5_000))), "npy"),
    "shape of objects": (tagged("ndarray", [[1], [2]], __shape__=[2, 2]), "shape"),
    "old QPY": (tagged("QuantumCircuit", circuit_payload(bell(), version=12)), "version 12 is refused"),
    "new QPY": (tagged("QuantumCircuit", circuit_payload(bell(), version=255)), "malformed"),
    "instructions": (tagged("Instruction", circuit_payload(bell())), "malformed"),
    "symbolic expression": (tagged("ParameterExpression", "AAAA"), "symbolic library"),
    "vector of a billion": (
        tagged("Parameter", GOLDEN["Parameter"]["__value__"], __vector__=["v", 10**9, 0]),
        "expands",
    ),
    "vector without its index": (
        tagged("Parameter", GOLDEN["Parameter"]["__value__"], __vector__=["v", 2, 5]),
        "malformed",
    ),
    "matrix of a circuit": (
        tagged(
            "settings",
            {"data": {"__type__": "QuantumCircuit", "__value__": circuit_payload(QuantumCircuit(40))}},
            __module__="qiskit.quantum_info.operators",
            __class__="Operator",
        ),
        "array of numbers",
    ),
    "Pauli of a number": (settings("Pauli", data=5), "expected str"),
    "operator with another argument": (settings("Pauli", data="X", evil=1), "evil"),
    "noise on a distant qubit": (
        tagged(
            "NoiseModel",
            {"errors": [{"type": "qerror", "instructions": [[{"name": "x", "qubits": [10**12]}]]}]},
        ),
        "qubit",
    ),
    "noise of an operator": (
        tagged("NoiseModel", {"errors": [json.loads(settings("Pauli", data="X" * 40))]}),
        "plain values",
    ),
    "observables of an operator": (
        tagged("ObservablesArray", [json.loads(settings("PauliList", data=["X" * 40]))]),
        "plain values",
    ),
    "field that is a class": (
        tagged("DataBin", {"shape": [], "fields": {"__class__": 1}}),
        "no name of a field",
    ),
    "bits without an array": (tagged("BitArray", {"array": [1], "num_bits": 1}), "malformed"),
    "result without results": (tagged("Result", {}), "malformed"),
    "set of lists of dicts": (tagged("set", [[{}]]), "malformed"),
    "set with a double": (tagged("set", [1, 1]), "twice"),
    "set of one hash": (tagged("set", colliding(20_000)), "share one hash"),
    "set in hashed tuples": (tagged("set", [[number] for number in colliding(20_000)]), "share one hash"),
    "dict with a double": (tagged("dict", [["a", 1], ["a", 2]]), "twice"),
    "codec value cut short": (tagged("aerlock.Value", "CgU="), "malformed"),
    "npz with an index beyond": (tagged("spmatrix", npz(indices=[0, 2**31])), "malformed"),
    "npz with pointers beyond": (tagged("spmatrix", npz(indptr=[0, 5, 2])), "malformed"),
    "npz with indices of floats": (tagged("spmatrix", npz(indices=[0.5, 1.0])), "array of numbers"),
    "npz pickled": (tagged("spmatrix", npz(data=np.array([Boom(), 1], dtype=object))), "pickled"),
    "npz of another layout": (tagged("spmatrix", npz(format=np.array(b"spmatrix"))), "no sparse matrix"),
    "npz in bzip2": (tagged("spmatrix", npz(zipfile.ZIP_BZIP2)), "neither stored nor deflated"),
    "npz of many files": (tagged("spmatrix", npz(**{f"part{n}": 0 for n in range(9)})), "files"),
    "npz that is none": (tagged("spmatrix", "AAAA"), "npz"),
    "keys twice": ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c'"),
    "huge integer": ("[" + "9" * 5_000 + "]", "digits"),
    "deep lists": ("[" * 100_000, "deeper"),
    "deep objects": ('{"a":' * 100_000, "deeper"),
    "deep and closed": ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "deeper"),
    "deep keys of bindings": (
        tagged("BindingsArray", {"shape": [], "data": {"[" * 100_000: 1}}),
        "deeper",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_document_is_refused_soon(name, capfd):
    text, words = MALFORMED[name]
    start = time.monotonic()
    with pytest.raises(ValueError, match=words):
        loads(text)
    # Twenty thousand integers of one hash would take ten seconds.
    assert time.monotonic() - start < 5
    assert capfd.readouterr().out == ""


def test_depth_bound_holds_whatever_the_interpreter_allows():
    check = """
import json, sys
from aerlock import RuntimeDecoder
sys.setrecursionlimit(10**9)
for text in ("[" * 10**6, '{"a":' * 10**6, '["' + '\\\\"[' * 10**6):
    try:
        json.loads(text, cls=RuntimeDecoder)
    except ValueError:
        continue
    sys.exit(1)
"""
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)


def test_brackets_in_text_do_not_count_as_depth():
    text = json.dumps(["[" * 1_000, '\\"[{' * 1_000, {"{" * 500: 1}])
    assert loads(text) == json.loads(text)


@pytest.mark.usefixtures("little_room")
def test_bomb_is_refused_before_it_expands():
    bomb = tagged("ndarray", packed(npy(np.zeros(1 << 26, dtype="u1"))))
    tracemalloc.start()
    with pytest.raises(ValueError, match="expands"):
        loads(bomb)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize(
    "member",
    [
        json.loads(tagged("ndarray", packed(npy(np.zeros(200_000, dtype="u1"))))),
        json.loads(tagged("spmatrix", payloads.write_sparse(scipy.sparse.csr_array(np.ones((150, 150)))))),
        json.loads(tagged("QuantumCircuit", circuit_payload(QuantumCircuit(900)))),
        json.loads(
            tagged(
                "QuantumCircuit",
                circuit_payload(
                    QuantumCircuit(
                        1, metadata={"inner": json.loads(tagged("ndarray", packed(npy(np.zeros(25_000)))))}
                    )
                ),
            )
        ),
    ],
)
def test_members_of_one_document_share_its_room(member):
    with pytest.raises(ValueError, match="expands"):
        loads(json.dumps([member] * 8))


@pytest.fixture
def forbidden_module(tmp_path, monkeypatch):
    """A module that leaves a trace when it is imported."""
    (tmp_path / "forbidden.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w')\nclass Pauli: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "forbidden"
    assert "forbidden" not in sys.modules
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("tag", ["settings", "_json", "dill"])
def test_class_by_name_is_never_imported(forbidden_module, tag):
    for module in (
        forbidden_module,
        f"qiskit.quantum_info.{forbidden_module}",
        ["qiskit.quantum_info."],
        None,
    ):
        for name in ("Pauli", "Boom", ["Pauli"], None):
            if tag == "settings" and name == "Pauli" and str(module).startswith("qiskit"):
                continue
            found = json.loads(tagged(tag, {"data": "X"}, __module__=module, __class__=name))
            assert loads(json.dumps(found)) == found
    # The name of a known class stands for that class, wherever it is said to be.
    known = tagged("settings", {"data": "X"}, __module__="qiskit.quantum_info.forbidden", __class__="Pauli")
    assert loads(known) == quantum_info.Pauli("X")


FIELDS = [
    "data",
    "shape",
    "fields",
    "array",
    "num_bits",
    "metadata",
    "results",
    "errors",
    "paulis",
    "num_qubits",
]
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2**70)
    | st.floats()
    | st.sampled_from(["", "X", "AAAA", "2026-01-02", "[]", "linear"]),
    lambda items: (
        st.lists(items, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            items,
            max_size=3,
        )
        | st.builds(
            lambda tag, value, more: {"__type__": tag, "__value__": value} | more,
            st.sampled_from(sorted(READERS)),
            items,
            st.dictionaries(st.sampled_from(["__shape__", "__vector__", "__module__"]), items, max_size=1),
        )
    ),
    max_leaves=8,
)


@given(JUNK)
def test_whatever_stands_in_a_tag_nothing_but_value_error_is_raised(found):
    with contextlib.suppress(ValueError):
        loads(json.dumps(found))


def refuse_doubles(pairs: list) -> dict:
    if len(dict(pairs)) != len(pairs):
        raise ValueError
    return dict(pairs)


@given(st.text(alphabet='[]{}",:\\ 0n', max_size=40))
def test_text_is_json_to_this_decoder_if_it_is_to_the_library(text):
    try:
        expected = json.loads(text, object_pairs_hook=refuse_doubles)
    except ValueError as error:
        with pytest.raises(type(error)):
            loads(text)
    else:
        assert same(loads(text), expected)
