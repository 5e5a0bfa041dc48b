"""Circuits come back in every part, also in those that QPY loses, or are refused."""

import io
import struct

import numpy as np
import pytest
from exact import assert_same, round_trip
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy, transpile
from qiskit.circuit import (
    AncillaRegister,
    AnnotatedOperation,
    Annotation,
    Clbit,
    ControlModifier,
    Delay,
    Gate,
    IfElseOp,
    Instruction,
    InverseModifier,
    Measure,
    Parameter,
    ParameterVector,
    PowerModifier,
    Qubit,
    Reset,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import (
    CXGate,
    DiagonalGate,
    HalfAdderGate,
    HGate,
    Initialize,
    MCMTGate,
    MCXGate,
    PauliEvolutionGate,
    PauliGate,
    PermutationGate,
    QFTGate,
    RealAmplitudes,
    RXGate,
    StatePreparation,
    UCRXGate,
    UGate,
    UnitaryGate,
    XGate,
)
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import SparseObservable, SparsePauliOp
from qiskit.transpiler import CouplingMap

from aerlock.codec import EncodeOptions, Tagged, from_value, to_value
from aerlock.codec.circuit_losses import find_differences
from aerlock.codec.qpy import check_qpy
from aerlock.v1.values_pb2 import Value

THETA = Parameter("θ")
VECTOR = ParameterVector("v", 3)


def comes_back(circuit: QuantumCircuit) -> QuantumCircuit:
    """Checks a circuit against its copy, in all that the codec compares and by name, label and unit."""
    copy = round_trip([circuit])[0]
    assert type(copy) is QuantumCircuit
    assert_found_equal(circuit, copy)
    assert_same(circuit.metadata, copy.metadata)
    assert described(circuit) == described(copy)
    return copy


def assert_found_equal(circuit: QuantumCircuit, copy: QuantumCircuit) -> None:
    """Checks by the codec's own means, which tell of metadata whenever they are not JSON."""
    assert [note for note in find_differences(circuit, copy) if set(note) != {"at", "metadata"}] == []


def described(circuit: QuantumCircuit) -> list[object]:
    """What an instruction is, for a comparison that knows nothing of the codec's own."""
    found = [circuit.name if not circuit.name.startswith(("circuit-", "unnamed")) else None]
    for instruction in circuit.data:
        operation = instruction.operation
        found += [operation.name, getattr(operation, "label", None), getattr(operation, "unit", None)]
        found += [[circuit.find_bit(bit).index for bit in (*instruction.qubits, *instruction.clbits)]]
        params = getattr(operation, "params", ())
        # QPY makes floats of numbers.
        found += [
            str(float(param) if type(param) is int else param)
            for param in params
            if not isinstance(param, QuantumCircuit | np.ndarray)
        ]
        for inner in getattr(operation, "blocks", ()):
            found += [inner.metadata, *described(inner)]
    return found


def is_plain(circuit: QuantumCircuit) -> bool:
    return to_value(circuit).HasField("circuit_value")


def one(operation: Instruction) -> QuantumCircuit:
    circuit = QuantumCircuit(operation.num_qubits, getattr(operation, "num_clbits", 0))
    circuit.append(operation, circuit.qubits, circuit.clbits)
    return circuit


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "options", [{}, {"conditional": True, "measure": True}, {"reset": True, "measure": True}]
)
def test_random_circuit_comes_back_the_same_and_plain(seed, options):
    circuit = random_circuit(5, 6, max_operands=4, seed=seed, **options)
    assert comes_back(circuit) == circuit
    assert is_plain(circuit)


@pytest.mark.parametrize("unit", ["dt", "s", "ms", "us", "ns", "ps"])
@pytest.mark.parametrize("duration", [100, 2.5, THETA, VECTOR[1] * 2], ids=str)
def test_delay_keeps_its_unit(unit, duration):
    if unit == "dt" and type(duration) is float:
        return
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.delay(duration, 1, unit)
    circuit.barrier()
    copy = comes_back(circuit)
    assert copy == circuit
    assert copy.parameters == circuit.parameters
    assert is_plain(circuit) is (unit == "dt" and type(duration) is int)
    delay = Delay(duration, unit)
    assert round_trip(delay) == delay


@pytest.mark.parametrize(
    "metadata",
    [{"a": [1, 2.5, None, "x", {"b": True}]}, {1: 2}, {"t": (1, 2)}, {"n": np.int64(3)}, {"c": 1j, "s": {1}}],
    ids=str,
)
def test_metadata_comes_back_with_their_types(metadata):
    circuit = QuantumCircuit(1, metadata=metadata, name="with metadata")
    comes_back(circuit)


def test_registers_come_back_in_their_order():
    bits = [Qubit(), Qubit()]
    circuit = QuantumCircuit(
        QuantumRegister(bits=bits, name="alias"),
        QuantumRegister(2, "own"),
        QuantumRegister(bits=bits[::-1], name="reversed"),
        ClassicalRegister(1, "z"),
        ClassicalRegister(2, "a"),
        [Clbit()],
    )
    circuit.h(0)
    copy = comes_back(circuit)
    assert [register.name for register in copy.qregs] == ["alias", "own", "reversed"]
    assert not is_plain(circuit)


def test_registers_of_their_own_are_plain():
    circuit = QuantumCircuit(QuantumRegister(2, "b"), QuantumRegister(1, "a"), ClassicalRegister(1, "c"))
    comes_back(circuit)
    assert is_plain(circuit)


def test_ancillas_come_back_and_need_qpy_18():
    circuit = QuantumCircuit(QuantumRegister(1, "q"), AncillaRegister(2, "a"))
    circuit.h(0)
    assert len(comes_back(circuit).ancillas) == 2
    with pytest.raises(ValueError, match=r"AncillaRegister needs QPY 18.*upgrade Qiskit there"):
        to_value(circuit, options=EncodeOptions(qpy_version=17))


def test_transpiled_circuit_keeps_its_layout():
    circuit = QuantumCircuit(QuantumRegister(3, "mine"), ClassicalRegister(3, "c"))
    circuit.h(0)
    for target in (1, 2):
        circuit.cx(0, target)
    circuit.measure([0, 1, 2], [0, 1, 2])
    transpiled = transpile(
        circuit, coupling_map=CouplingMap.from_line(5), initial_layout=[3, 1, 4], seed_transpiler=1
    )
    copy = comes_back(transpiled)
    assert copy.layout == transpiled.layout
    assert copy.layout.final_index_layout() == transpiled.layout.final_index_layout()


def block() -> QuantumCircuit:
    """A circuit with much that QPY loses."""
    circuit = QuantumCircuit(1, name="inner", metadata={(1, 2): "x"}, global_phase=0.5)
    circuit.delay(1.5, 0, "us")
    circuit.rz(THETA * 1j, 0)
    circuit.append(XGate(label="lab"), [0])
    return circuit


@pytest.mark.parametrize(
    "operation",
    [
        Measure(),
        Measure(label="m"),
        Reset(),
        HGate(label="é"),
        RXGate(THETA),
        UGate(1, 2.5, VECTOR[0]),
        CXGate(ctrl_state=0),
        MCXGate(5, ctrl_state=3),
        HGate().control(3, annotated=False),
        HGate().control(2, ctrl_state=1, label="controlled", annotated=False),
        HGate().control(2, annotated=True),
        block().to_instruction(label="sub"),
        QuantumCircuit(2, name="named").to_gate().control(2, ctrl_state=2, annotated=False),
        AnnotatedOperation(HGate(), [InverseModifier(), PowerModifier(2.5), ControlModifier(1, 0)]),
        UnitaryGate(np.eye(4), label="u"),
        UnitaryGate(np.asfortranarray([[0, 1j], [1, 0]])),
        Initialize([1, 0, 0, 1j] / np.sqrt(2)),
        Initialize("01"),
        Initialize(2, 3),
        StatePreparation([0.6, 0.8]),
        PauliGate("XYZ"),
        PermutationGate([2, 0, 1]),
        QFTGate(3),
        DiagonalGate([1, -1]),
        UCRXGate([0.1, 0.2]),
        PauliEvolutionGate(SparsePauliOp(["XX", "ZZ"], [1, 2]), time=THETA, label="evo"),
        PauliEvolutionGate([SparsePauliOp("XX"), SparsePauliOp("ZZ")], time=2),
        PauliEvolutionGate(SparseObservable.from_list([("X+", 1.5)]), time=0.5),
        Gate("mine_1_", 2, [1, 2.5, THETA], label="g"),
        Gate("h", 1, []),
        Gate("complex", 1, [THETA * 1j]),
        Instruction("classical", 1, 2, [3, "text"]),
    ],
    ids=lambda operation: operation.name if hasattr(operation, "name") else "x",
)
def test_instruction_comes_back_the_same_alone_and_in_a_circuit(operation):
    circuit = one(operation)
    comes_back(circuit)
    comes_back(circuit.repeat(2))
    alone = round_trip({"x": operation})["x"]
    assert getattr(alone, "base_class", type(alone)) is getattr(operation, "base_class", type(operation))
    comes_back(one(alone))


class Rotation(Gate):
    def __init__(self, angle):
        super().__init__("rotation", 1, [angle], label="mine")

    def _define(self):
        self.definition = QuantumCircuit(1, name="defined")
        self.definition.rx(self.params[0], 0)


def test_gate_of_a_class_of_ones_own_comes_back_as_a_gate_with_its_definition():
    copy = comes_back(one(Rotation(0.5))).data[0].operation
    assert type(copy) is Gate
    assert (copy.name, copy.label, copy.params) == ("rotation", "mine", [0.5])
    assert copy.definition.name == "defined"
    assert copy.definition == Rotation(0.5).definition


def controlled_flow() -> list[QuantumCircuit]:
    circuits = [
        QuantumCircuit(2, 3, name=name) for name in ("if", "loops", "switch", "box", "variables", "deep")
    ]
    branch, loops, switch, box, variables, deep = circuits
    with branch.if_test((branch.clbits[0], True)) as otherwise:
        branch.delay(2.5, 0, "us")
    with otherwise:
        branch.append(block().to_instruction(), [1])
    with branch.if_test(expr.logic_and(branch.clbits[0], expr.equal(branch.cregs[0], 3))):
        branch.x(0, label="lab")
    branch.append(IfElseOp((branch.cregs[0], 5), block(), label="if label"), [0], [])
    with loops.for_loop(range(0, 10, 2)):
        loops.break_loop()
    with loops.for_loop((1, 4, 7), Parameter("i")) as index:
        loops.rx(index, 0)
        loops.continue_loop()
    with loops.while_loop((loops.clbits[0], 0)):
        loops.measure(0, 0)
    with switch.switch(expr.bit_and(switch.cregs[0], 3)) as case:
        with case(1, 2):
            switch.h(0)
        with case(case.DEFAULT):
            switch.delay(1, 0, "ns")
    with box.box(duration=1.5, unit="us", label="boxed"):
        box.h(0)
    stretch = box.add_stretch("s")
    box.delay(stretch, 1)
    with box.box(duration=stretch):
        box.x(0)
    variable = variables.add_var("a", expr.lift(5, types.Uint(8)))
    flag = variables.add_input("b", types.Bool())
    variables.add_var("f", expr.lift(1.5))
    variables.store(variable, expr.bit_xor(variable, 3))
    with variables.if_test(flag):
        variables.store(variables.clbits[0], True)
    with deep.for_loop(range(2)), deep.if_test((0, 1)):
        deep.append(block().to_instruction(), [1])
    return circuits


@pytest.mark.parametrize("circuit", controlled_flow(), ids=lambda circuit: circuit.name)
def test_control_flow_comes_back_with_conditions_blocks_and_variables(circuit):
    assert comes_back(circuit) == circuit


@pytest.mark.parametrize(
    "make",
    [
        lambda circuit, body: IfElseOp((circuit.clbits[1], True), body),
        lambda circuit, body: WhileLoopOp(expr.less(circuit.cregs[0], 3), body),
        lambda circuit, body: SwitchCaseOp(circuit.cregs[0], [(1, body)]),
    ],
    ids=["if", "while", "switch"],
)
def test_control_flow_alone_comes_back_with_what_it_looks_at(make):
    circuit = QuantumCircuit(1, 2)
    body = QuantumCircuit(1, name="body")
    body.h(0)
    operation = make(circuit, body)
    copy = round_trip(operation)
    assert type(copy) is type(operation)
    assert copy.blocks[0] == body
    assert copy.blocks[0].name == "body"


def test_complex_constants_of_expressions_come_back():
    circuit = QuantumCircuit(2, global_phase=THETA * 1j + 2)
    circuit.rz(THETA * (1 + 2j), 0)
    circuit.rx(VECTOR[0] * VECTOR[1] + 3, 1)
    circuit.rz((THETA * 0 + 1).sign().arctan(), 0)
    copy = comes_back(circuit)
    assert copy == circuit
    assert copy.data[0].params[0] == THETA * (1 + 2j)


@pytest.mark.filterwarnings("ignore:.*is deprecated as of Qiskit:DeprecationWarning")
def test_circuit_of_the_library_comes_back_as_a_circuit():
    circuit = RealAmplitudes(3, reps=1)
    copy = round_trip(circuit)
    assert type(copy) is QuantumCircuit
    assert copy == circuit
    assert copy.num_parameters == 6


def test_circuits_in_a_list_come_back_in_their_order_with_their_names():
    circuits = [QuantumCircuit(n, name=f"c{n}", metadata={"n": n}) for n in range(20)]
    copies = round_trip([*circuits, circuits[3]])
    assert [copy.name for copy in copies] == [circuit.name for circuit in circuits] + ["c3"]
    assert copies[:20] == circuits


def in_other_forms(circuit: QuantumCircuit) -> list[Value]:
    """The circuit in QPY of every version, and as OpenQASM 2."""
    values = [to_value(circuit, options=EncodeOptions(qpy_version=version)) for version in range(13, 19)]
    text = Value()
    text.circuit_value.openqasm2 = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; h q[0]; cx q[0],q[1];'
    return [*values, text]


def test_list_of_circuits_in_different_forms_is_read():
    circuit = QuantumCircuit(QuantumRegister(2, "q"))
    circuit.h(0)
    circuit.cx(0, 1)
    forms = in_other_forms(circuit)
    for values in (forms, forms[:3], forms[4:6], *([form, form] for form in forms)):
        value = Value()
        value.list_value.values.extend(values)
        assert from_value(value) == [circuit] * len(values)


@pytest.mark.parametrize("version", range(13, 19))
def test_list_of_circuits_with_an_unsound_one_is_refused(version):
    options = EncodeOptions(qpy_version=version)
    value = to_value([one(RXGate(0.5)), one(RXGate(1.5)), QuantumCircuit(2)], options=options)
    before = value.list_value.values[1].circuit_value.qpy
    for unsound in (before[:-1], before + b"\0", before.replace(b"RXGate", b"EVILGT"), b""):
        value.list_value.values[1].circuit_value.qpy = unsound
        with pytest.raises(ValueError):
            from_value(value)


def test_circuit_of_the_shape_of_the_last_one_loses_nothing_either():
    def rotated(angle: object, name: str = "c", phase: float = 0) -> QuantumCircuit:
        circuit = QuantumCircuit(1, name=name, global_phase=phase)
        circuit.rx(angle, 0)
        return circuit

    sound = [rotated(THETA * 2), rotated(THETA * 3), rotated(THETA * 4)]
    lossy = [rotated(THETA * 2j), rotated(THETA * 2, phase=1e-9), one(Instruction("rx", 1, 0, [THETA * 2]))]
    assert_found_all(sound + lossy + sound + [rotated(0.5), rotated(1.5), rotated(2.5)])


def assert_found_all(circuits: list[QuantumCircuit]) -> None:
    for circuit, copy in zip(circuits, round_trip(circuits), strict=True):
        assert_found_equal(circuit, copy)


def with_definitions(depth: int) -> QuantumCircuit:
    """A circuit of gates that it defines, of which some are in others."""
    circuit = QuantumCircuit(3, 1, name=f"d{depth}_{'0' * 32}")
    for name in "abcdef":
        inner = with_definitions(depth - 1) if depth else QuantumCircuit(1)
        inner.h(0)
        inner.name = name
        circuit.append(inner.to_instruction(), range(inner.num_qubits), range(inner.num_clbits))
    circuit.append(EVOLUTION_OF_PAULIS, [0])
    circuit.append(HGate().control(2, ctrl_state=1, annotated=False), [0, 1, 2])
    return circuit


EVOLUTION_OF_PAULIS = PauliEvolutionGate(SparsePauliOp("X"), 1)


@pytest.mark.parametrize("version", range(13, 19))
def test_circuit_that_is_written_again_has_the_same_bytes(version):
    circuit = with_definitions(1)
    with circuit.if_test((0, 1)):
        circuit.append(with_definitions(0).to_instruction(), [0, 1, 2], [0])
    options = EncodeOptions(qpy_version=version)
    value = to_value(circuit, options=options)
    assert_found_equal(circuit, from_value(value))
    for _ in range(4):
        assert to_value(circuit, options=options) == value


class Note(Annotation):
    namespace = "mine"


def annotated() -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    with circuit.box([Note()]):
        circuit.h(0)
    return circuit


@pytest.mark.parametrize(
    ("circuit", "problem"),
    [
        (one(HalfAdderGate(2)), r"a HalfAdderGate at data\[0\] \(see QuantumCircuit\.decompose\)"),
        (one(MCMTGate(HGate(), 2, 2)), r"a MCMTGate \(see QuantumCircuit\.decompose\) at data\[0\]"),
        (one(StatePreparation([1, 0], inverse=True)), r"a StatePreparation .* at data\[0\]"),
        (one(Initialize([2**-8] * 65_536)), r"an? Initialize at data\[0\]"),
        (QuantumCircuit(1, name="n" * 70_000), r"its name has more than 65,535 bytes"),
        (QuantumCircuit(1, metadata={"a": object()}), r"metadata\.a is a builtins\.object"),
        (annotated(), r"annotation"),
    ],
    ids=["library", "class", "inverse", "many parameters", "name", "metadata", "annotations"],
)
def test_circuit_that_would_change_is_refused_with_the_place(circuit, problem):
    with pytest.raises((TypeError, ValueError), match=problem):
        to_value({"ansatz": [circuit]})


@pytest.mark.parametrize("version", range(13, 19))
def test_circuit_is_written_for_the_version_of_its_reader(version):
    circuit = QuantumCircuit(2, 2, name="old", metadata={1: 2})
    circuit.rx(VECTOR[0] + THETA, 0)
    circuit.delay(1.5, 1, "us")
    circuit.append(block().to_instruction(), [0])
    with circuit.if_test((0, 1)):
        circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    value = to_value(circuit, options=EncodeOptions(qpy_version=version))
    (written,) = [
        entry.value for entry in value.tagged_value.value.map_value.entries if entry.key == "circuit"
    ]
    assert written.circuit_value.qpy[6] == version
    copy = from_value(value)
    assert_found_equal(circuit, copy)
    assert copy.parameters == circuit.parameters


EVOLUTION = PauliEvolutionGate(SparseObservable("X"), 1)
EVOLUTIONS = {
    "one": EVOLUTION,
    "several": PauliEvolutionGate([SparsePauliOp("X"), SparseObservable("Y")], 1),
    "controlled": EVOLUTION.control(1),
    "modified": EVOLUTION.inverse(annotated=True),
    "defined": one(EVOLUTION).to_instruction(),
}


@pytest.mark.parametrize("version", range(13, 17))
@pytest.mark.parametrize("name", EVOLUTIONS)
def test_evolution_of_an_observable_needs_qpy_17(name, version):
    circuit = one(EVOLUTIONS[name])
    with pytest.raises(ValueError, match=r"SparseObservable needs QPY 17 .*upgrade Qiskit there"):
        to_value(circuit, options=EncodeOptions(qpy_version=version))
    assert from_value(to_value(circuit, options=EncodeOptions(qpy_version=17))) == circuit


@pytest.mark.parametrize(
    ("version", "make"),
    [
        (13, lambda circuit: circuit.delay(circuit.add_stretch("s"), 0)),
        (16, lambda circuit: circuit.append(EVOLUTION, [0])),
    ],
    ids=["stretch", "observable"],
)
def test_feature_that_the_reader_lacks_says_who_must_upgrade(version, make):
    circuit = QuantumCircuit(1)
    make(circuit)
    with pytest.raises(
        ValueError, match=rf"QPY {version}, the newest that its reader has: upgrade Qiskit there"
    ):
        to_value(circuit, options=EncodeOptions(qpy_version=version))
    with pytest.raises(ValueError, match="upgrade Qiskit on the server"):
        to_value(circuit, options=EncodeOptions(qpy_version=12))


def noted(*notes: object, circuit: QuantumCircuit | None = None) -> Value:
    if circuit is None:
        circuit = QuantumCircuit(1)
        circuit.h(0)
    return to_value(Tagged("qiskit.QuantumCircuit", {"circuit": circuit, "notes": list(notes)}))


@pytest.mark.parametrize(
    "note",
    [
        5,
        {},
        {"at": 0},
        {"at": [1], "label": "x"},
        {"at": [-1], "label": "x"},
        {"at": [0, "definition", 0], "label": "x"},
        {"at": [0, "block", 0], "name": "x"},
        {"at": [0, "base_gate"], "label": "x"},
        {"at": [0, "__class__"], "label": "x"},
        {"at": [0], "label": 5},
        {"at": [0], "params": [1.0]},
        {"at": [0], "params": [[]]},
        {"at": [0], "operation": XGate()},
        {"at": [0], "evil": 1},
        {"at": [], "name": 5},
        {"at": [], "metadata": 5},
        {"at": [], "global_phase": "x"},
        {"at": [], "registers": [["other"], []]},
        {"at": [], "registers": 5},
    ],
    ids=str,
)
def test_note_that_does_not_fit_its_circuit_is_refused(note):
    value = noted(note)
    with pytest.raises(ValueError, match="malformed"):
        from_value(value)


def written(circuit: QuantumCircuit, version: int = 18) -> bytes:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer, version=version)
    return buffer.getvalue()


def named(name: str, params: list[object]) -> bytes:
    """QPY that calls a class of Qiskit's library with parameters of its own."""
    stand_in = "Q" * (len(name) - 2)
    data = written(one(Instruction(stand_in, 1, 0, params)))
    at = data.rindex(f"{stand_in}_0".encode())
    return data[:at] + name.encode() + data[at + len(name) :]


def with_shape(shape: bytes) -> bytes:
    data = written(one(Instruction("x", 1, 0, [np.zeros((4, 4))])))
    at = data.index(b"'shape': (4, 4), }")
    return data[:at] + shape + data[at + len(shape) :]


HOSTILE_QPY = {
    "class that makes lists": named("WeightedSumGate", [10**9]),
    "class that is a circuit": named("QuantumVolume", [10**4, 10**4]),
    "class that reads a text": named("PhaseOracleGate", ["a & b"]),
    "range": named("PermutationGate", [range(10**9)]),
    "array of gigabytes": with_shape(b"'shape':(65536,65536)}"),
    "array header that is no header": with_shape(b"'shape':(((((((((((((("),
    "synthesis": written(one(PauliEvolutionGate(SparsePauliOp("XX"), 1))).replace(
        b'"LieTrotter"', b'"__builtins"'
    ),
    "table that points elsewhere": written(QuantumCircuit(1))[:20] + struct.pack("!Q", 30) + b"\0" * 200,
}


@pytest.mark.parametrize("name", HOSTILE_QPY)
def test_hostile_qpy_never_reaches_the_reader(name, monkeypatch):
    monkeypatch.setattr(qpy, "load", lambda *_: pytest.fail("reached Qiskit's reader"))
    value = Value()
    value.circuit_value.qpy = HOSTILE_QPY[name]
    with pytest.raises(ValueError):
        from_value(value)


def test_circuit_of_the_shape_of_the_last_one_is_checked_no_less():
    circuit = QuantumCircuit(2)
    circuit.rx(THETA, 0)
    circuit.rx(0.5, 1)
    sound = written(circuit)
    for _ in range(3):
        check_qpy(sound)
    at = sound.rindex(b"RXGate")
    for position in range(28, len(sound)):
        if sound[position : position + 4] == b"\0\0\0\2":
            with pytest.raises(ValueError):
                check_qpy(sound[:position] + b"\xff" * 4 + sound[position + 4 :])
    with pytest.raises(ValueError, match="'EVILGT'"):
        check_qpy(sound[:at] + b"EVILGT" + sound[at + 6 :])


def test_newer_qpy_says_who_must_upgrade():
    data = written(QuantumCircuit(1))
    value = Value()
    value.circuit_value.qpy = data[:6] + b"\x13" + data[7:]
    with pytest.raises(ValueError, match=r"QPY (version )?19.*upgrade"):
        from_value(value)
