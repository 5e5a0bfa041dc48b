"""Inputs of an ordinary program that are meant to harm whoever reads them: each is refused with a reason."""

import base64
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import grpc
import pytest
from hostile_circuits import hostile_circuits
from security.arena import ATTACKERS, MEBIBYTE

from aerlock.v1.jobs_pb2 import FailureReason
from aerlock.v1.values_pb2 import (
    ELEMENT_TYPE_INT8,
    Array,
    BlobRef,
    Circuit,
    ListValue,
    MapEntry,
    MapValue,
    TaggedValue,
    Value,
)

INPUTS = "def main(backend, user_messenger, **kwargs):\n    return sorted(kwargs)\n"
DOCUMENT = """
import json
from aerlock import RuntimeDecoder

def main(backend, user_messenger, text):
    return repr(json.loads(text, cls=RuntimeDecoder))[:100]
"""
CLAIMS = Array(element_type=ELEMENT_TYPE_INT8, shape=[1 << 62, 1 << 62])
VALUES = {
    "array that claims more than there is": Value(array_value=CLAIMS),
    "array of a negative length": Value(array_value=Array(element_type=1, shape=[-1, -1], data=b"x")),
    "array of an unknown kind": Value(array_value=Array(element_type=99, shape=[1], data=b"x")),
    "key that comes twice": Value(
        map_value=MapValue(entries=[MapEntry(key="a", value=Value(int_value=1))] * 2)
    ),
    "digits without end": Value(big_int_value="9" * 1_000_000),
    "nothing": Value(),
    "more than a message may hold": Value(list_value=ListValue(values=[Value(int_value=0)] * 270_000)),
    "unknown blob": Value(blob_value=BlobRef(sha256="0" * 64, size_bytes=2 * MEBIBYTE)),
    "blob that is a path": Value(blob_value=BlobRef(sha256="../../etc/passwd", size_bytes=10)),
}
NULLS = b"\x0a\x02\x08\x00" * 2_000_000
BLOBS = {
    "noise": bytes(range(256)) * 8192,
    "pickle": b"cos\nabort\n(tR." + bytes(2 * MEBIBYTE),
    "millions of values": b"\x42\x80\xa4\xe8\x03" + NULLS,
    "array without its bytes": Value(array_value=CLAIMS).SerializeToString(),
    "bomb in a circuit": Value(
        circuit_value=Circuit(qpy=zlib.compress(bytes(256 * MEBIBYTE)))
    ).SerializeToString(),
    "set of no list": Value(
        tagged_value=TaggedValue(type="python.set", value=Value(string_value="exit()"))
    ).SerializeToString(),
}
NPY = b"\x93NUMPY\x01\x00"
NPY_HEADER = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }"


def packed(tag: str, content: bytes) -> str:
    """A value of Qiskit's JSON, which is compressed in it."""
    text = base64.standard_b64encode(zlib.compress(content)).decode()
    return json.dumps({"__type__": tag, "__value__": text})


DOCUMENTS = {
    "bomb in a circuit": packed("QuantumCircuit", bytes(256 * MEBIBYTE)),
    "bomb in an array": packed("ndarray", bytes(256 * MEBIBYTE)),
    "array of a terabyte": packed("ndarray", NPY + len(NPY_HEADER).to_bytes(2, "little") + NPY_HEADER),
    "archive that is none": packed("spmatrix", b"PK\x05\x06" + bytes(1000)),
    "nesting": "[" * 500_000,
    "digits": "9" * 900_000,
}


def named(value: Value) -> MapValue:
    return MapValue(entries=[MapEntry(key="n", value=value)])


def carried(account, circuit: Circuit) -> MapValue:
    """A circuit as an input, as a blob where it is too large for a message."""
    value = Value(circuit_value=circuit)
    if value.ByteSize() > MEBIBYTE // 2:
        value = Value(blob_value=account.write_blob(value.SerializeToString()))
    return named(value)


def ending(account, program_id: str, inputs: MapValue) -> str:
    """How inputs were refused: by the status of the call, or for the reason of the job."""
    try:
        job_id = account.submit(program_id, inputs)
    except grpc.RpcError as error:
        return error.code().name
    failure = account.events(job_id)[-1].state_change.failure
    return FailureReason.Name(failure.reason).removeprefix("FAILURE_REASON_")


def endings(account, source: str, inputs: dict[str, MapValue]) -> dict[str, str]:
    """Runs an ordinary program with each of the inputs, some at a time."""
    end = partial(ending, account, account.upload("inputs", source))
    with ThreadPoolExecutor(ATTACKERS) as pool:
        return dict(zip(inputs, pool.map(end, inputs.values()), strict=True))


def test_values_that_are_none_are_refused_before_there_is_a_job(arena, contained):
    with contained():
        found = endings(arena.attacker, INPUTS, {name: named(value) for name, value in VALUES.items()})
        assert found == dict.fromkeys(VALUES, "INVALID_ARGUMENT")


def test_large_values_that_are_none_end_their_own_job(arena, contained):
    with contained():
        blobs = {name: arena.attacker.write_blob(content) for name, content in BLOBS.items()}
        inputs = {name: named(Value(blob_value=blob)) for name, blob in blobs.items()}
        found = endings(arena.attacker, INPUTS, inputs)
        assert found == dict.fromkeys(BLOBS, "INVALID_INPUT")


def test_hostile_circuits_end_their_own_job(arena, contained):
    circuits = hostile_circuits()
    with contained():
        inputs = {name: carried(arena.attacker, circuit) for name, circuit in circuits.items()}
        found = endings(arena.attacker, INPUTS, inputs)
        assert found == dict.fromkeys(circuits, "INVALID_INPUT")


def test_hostile_documents_end_the_program_that_reads_them(arena, contained):
    with contained():
        inputs = {
            name: MapValue(entries=[MapEntry(key="text", value=Value(string_value=text))])
            for name, text in DOCUMENTS.items()
        }
        found = endings(arena.attacker, DOCUMENT, inputs)
        assert set(found.values()) <= {"PROGRAM_ERROR", "MEMORY_LIMIT"}, found


@pytest.mark.parametrize("levels", [200, 20_000])
def test_nesting_deeper_than_any_parser_is_refused_before_there_is_a_job(arena, contained, levels):
    raw = arena.attacker.raw_call("/aerlock.v1.JobService/RunProgram")
    with contained():
        with pytest.raises(grpc.RpcError) as raised:
            raw(nested_request(arena.attacker.upload("inputs", INPUTS), levels))
        assert raised.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)


def nested_request(program_id: str, levels: int) -> bytes:
    """A RunProgramRequest whose input is a list in a list, deeper than a message can be built."""
    value = Value(int_value=1).SerializeToString()
    for _ in range(levels):
        value = field(8, field(1, value))
    inputs = field(1, field(1, b"n") + field(2, value))
    return field(1, program_id.encode()) + field(3, b"aer_simulator") + field(4, inputs)


def field(number: int, content: bytes) -> bytes:
    """A field of a message, with the length of its content."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])
