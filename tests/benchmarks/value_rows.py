"""How fast the codec is, against what moves the same data without it."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from qiskit import qpy
from qiskit.circuit.library import efficient_su2
from report import Row, compare

from aerlock import codec
from aerlock.v1.values_pb2 import BlobRef

ARRAY_BYTES = 64 << 20
CIRCUITS = 1_000
ELEMENTS = 100_000


class Memory:
    """Blobs in memory, as they are, and without their digests: the codec's work alone."""

    def __init__(self) -> None:
        self._blobs: dict[str, Sequence[bytes | memoryview]] = {}

    def put(self, parts: Sequence[bytes | memoryview]) -> BlobRef:
        name = f"{len(self._blobs):064x}"
        self._blobs[name] = parts
        return BlobRef(sha256=name, size_bytes=sum(map(len, parts)))

    @contextmanager
    def open(self, blob: BlobRef) -> Iterator["_Parts"]:
        yield _Parts(self._blobs[blob.sha256])


class _Parts:
    """Reads parts one after the other."""

    def __init__(self, parts: Sequence[bytes | memoryview]) -> None:
        self._parts = [memoryview(part) for part in parts]

    def readinto(self, buffer: memoryview) -> int:
        while self._parts and not self._parts[0]:
            del self._parts[0]
        if not self._parts:
            return 0
        count = min(len(buffer), len(self._parts[0]))
        buffer[:count] = self._parts[0][:count]
        self._parts[0] = self._parts[0][count:]
        return count


def value_rows(rounds: int) -> Iterator[Row]:
    """Encoding and decoding of arrays, circuits, lists and dicts."""
    array = np.random.default_rng(1).random(ARRAY_BYTES // 8)
    copy = array.copy
    yield from _both("a 64 MiB array", array, "a memory copy", copy, copy, (1.0, 2.0), rounds)
    ansatz = efficient_su2(4, reps=2)
    circuits = [ansatz.assign_parameters({ansatz.parameters[0]: index * 0.1}) for index in range(CIRCUITS)]
    written = _dump(circuits)
    yield from _both(
        "1,000 parametrised circuits",
        circuits,
        "bare QPY",
        lambda: _dump(circuits),
        lambda: qpy.load(io.BytesIO(written)),
        (1.3, 1.3),
        rounds,
    )
    for name, data, target in (
        ("a list of 100,000 floats", [index * 1.1 for index in range(ELEMENTS)], 1.0),
        ("a dict of 100,000 floats", {f"key{index}": index * 1.1 for index in range(ELEMENTS)}, 6.0),
        ("100,000 values in small dicts", [{"a": n, "b": [1.5, 2.5]} for n in range(ELEMENTS // 5)], 15.0),
    ):
        yield from _json_rows(name, data, target, rounds)


def _json_rows(name: str, data: object, target: float, rounds: int) -> Iterator[Row]:
    text = json.dumps(data)
    yield from _both(
        name, data, "JSON", lambda: json.dumps(data), lambda: json.loads(text), (target, target), rounds
    )


def _both(
    name: str,
    data: object,
    against: str,
    write: Callable[[], object],
    read: Callable[[], object],
    targets: tuple[float, float],
    rounds: int,
) -> Iterator[Row]:
    def encode() -> object:
        return codec.to_value(data, options=codec.EncodeOptions(blobs=Memory()))

    blobs = Memory()
    value = codec.to_value(data, options=codec.EncodeOptions(blobs=blobs))
    for what, ours, bare, target in (
        ("encoding", encode, write, targets[0]),
        ("decoding", lambda: codec.from_value(value, blobs), read, targets[1]),
    ):
        ratio = compare(f"{what} {name}", ours, bare, rounds)
        yield Row(f"{what} {name}, against {against}", ratio, "lower", target)


def _dump(circuits) -> bytes:
    buffer = io.BytesIO()
    qpy.dump(circuits, buffer)
    return buffer.getvalue()
