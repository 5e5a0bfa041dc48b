"""What is fuzzed with bytes: every reader that strangers reach, and what each may do with any input.

A target returns where the input was read or refused as documented, and raises
otherwise: then the input is a finding. Beside that, what reads the same form
must agree about it.
"""

import io
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from equality import same
from google.protobuf.message import DecodeError

from aerlock import jsonview
from aerlock.codec import ValueBoundsError, blob_stream, blobs, check_value, from_value, to_value
from aerlock.codec.bounds import MAX_BLOB_VALUES, check_tree
from aerlock.codec.runtime_json import RuntimeDecoder
from aerlock.v1.values_pb2 import BlobRef, Circuit, Value
from aerlock_executor.cell import frames

SMALL_PIECE_BYTES = 64
"""With pieces of this size short inputs take the ways of large blobs."""


class FindingError(AssertionError):
    """Two readers disagree, or one did what it must not."""


@dataclass(frozen=True)
class Refused:
    """A reader has refused its input, as it may."""

    error: Exception


def outcome(read: Callable[[], object]) -> object:
    """What ``read`` returns, or how it refuses; everything else that it raises is a finding."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read()
    except ImportError as error:
        if "pip install" not in str(error):
            raise
        return Refused(error)
    except ValueError as error:
        cause: BaseException | None = error
        while cause := cause.__cause__:
            if isinstance(cause, MemoryError):
                raise FindingError("memory ran out") from error
        return Refused(error)


def run_value(data: bytes) -> None:
    """A Value in a message: checked, decoded, shown as JSON, encoded again."""
    try:
        value = Value.FromString(data)
    except DecodeError:
        return
    checked = outcome(lambda: check_value(value, value.ByteSize()))
    decoded = outcome(lambda: from_value(value))
    if isinstance(checked, Refused):
        if not isinstance(decoded, Refused):
            raise FindingError(f"decoded although {checked.error}")
        return
    view = jsonview.to_python(value)
    if json.loads(jsonview.to_json(value)) != view:
        raise FindingError("the JSON view is not what its text says")
    if not isinstance(decoded, Refused):
        _encode_again(decoded)


def _encode_again(decoded: object) -> None:
    encoded = outcome(lambda: to_value(decoded))
    # Some tags take more levels or bytes than their writer took for them, and Qiskit makes circuits
    # of QPY that it does not write again as they are.
    if isinstance(encoded, Refused):
        is_circuit = "is a circuit that cannot be sent" in str(encoded.error)
        if not is_circuit and not isinstance(encoded.error, ValueBoundsError):
            raise FindingError(f"read and not written: {encoded.error}")
        return
    again = from_value(encoded)
    if not same(again, decoded):
        raise FindingError(f"{decoded!r:.200} came back as {again!r:.200}")


class _Blobs:
    """A source that has one blob."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @contextmanager
    def open(self, blob: BlobRef) -> Iterator[Any]:
        yield io.BytesIO(self._data)


@contextmanager
def small_pieces() -> Iterator[None]:
    """Blobs are walked by hand, however small they are."""
    modules = (blob_stream, blobs)
    before = [module.PIECE_BYTES for module in modules]
    for module in modules:
        module.PIECE_BYTES = SMALL_PIECE_BYTES
    try:
        yield
    finally:
        for module, size in zip(modules, before, strict=True):
            module.PIECE_BYTES = size


def run_blob(data: bytes) -> None:
    """A Value in a blob: the walker, in large and in small pieces, against protobuf."""
    if not data:
        return
    expected = outcome(lambda: _parse_blob(data))
    checked = outcome(lambda: blobs.check_blob(io.BytesIO(data), len(data)))
    if isinstance(checked, Refused) != isinstance(expected, Refused):
        raise FindingError(f"the walker says {checked}, protobuf says {expected!r:.200}")
    with small_pieces():
        piecewise = outcome(lambda: blobs.check_blob(io.BytesIO(data), len(data)))
        decoded = outcome(lambda: _decode_blob(data))
    if isinstance(expected, Refused):
        if not (isinstance(piecewise, Refused) and isinstance(decoded, Refused)):
            raise FindingError(f"read in small pieces although {expected.error}")
        return
    if isinstance(piecewise, Refused) and not _has_large_number(expected):
        raise FindingError(f"refused in small pieces: {piecewise.error}")
    whole = outcome(lambda: from_value(expected))
    if isinstance(piecewise, Refused):
        return
    if isinstance(decoded, Refused) or isinstance(whole, Refused):
        if not (isinstance(decoded, Refused) and isinstance(whole, Refused)):
            raise FindingError(f"whole {whole!r:.200}, in small pieces {decoded!r:.200}")
    elif not same(decoded, whole):
        raise FindingError(f"whole {whole!r:.200}, in small pieces {decoded!r:.200}")


def _parse_blob(data: bytes) -> Value:
    """What a blob holds by protobuf and `check_tree`; ValueError where protobuf writes it otherwise."""
    try:
        value = Value.FromString(data)
    except DecodeError as error:
        raise ValueError("no Value") from error
    whole = Value.FromString(data)
    whole.DiscardUnknownFields()
    if check_tree((whole,), 1, most=MAX_BLOB_VALUES)[1]:
        raise ValueError("a blob in a blob")
    if whole.SerializeToString() != data:
        raise ValueError("not what protobuf writes")
    return value


def _decode_blob(data: bytes) -> object:
    blob = Value(blob_value=BlobRef(sha256="0" * 64, size_bytes=len(data)))
    return from_value(blob, _Blobs(data))


def _has_large_number(value: Value) -> bool:
    """Whether there is a leaf that a small piece cannot hold, and that is never large otherwise."""
    pending = [value]
    while pending:
        one = pending.pop()
        kind = one.WhichOneof("kind")
        if kind == "big_int_value" and len(one.big_int_value) > SMALL_PIECE_BYTES - 8:
            return True
        if kind == "array_value" and len(one.array_value.shape) > SMALL_PIECE_BYTES // 10 - 2:
            return True
        pending += _children(one)
    return False


def _children(value: Value) -> list[Value]:
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        return list(value.list_value.values)
    if kind == "map_value":
        return [entry.value for entry in value.map_value.entries]
    return [value.tagged_value.value] if kind == "tagged_value" else []


def run_circuit(circuit: Circuit) -> None:
    """A circuit: read, and where that goes well written and read again."""
    value = Value(circuit_value=circuit)
    decoded = outcome(lambda: from_value(value))
    if not isinstance(decoded, Refused):
        outcome(lambda: from_value(to_value(decoded)))


def run_qpy(data: bytes) -> None:
    """QPY from a stranger."""
    run_circuit(Circuit(qpy=data))


def run_openqasm2(data: bytes) -> None:
    """OpenQASM 2 from a stranger."""
    run_circuit(Circuit(openqasm2=data.decode(errors="replace")))


def run_openqasm3(data: bytes) -> None:
    """OpenQASM 3 from a stranger."""
    run_circuit(Circuit(openqasm3=data.decode(errors="replace")))


def run_runtime_json(data: bytes) -> None:
    """Tagged JSON in the original's form."""
    text = data.decode(errors="replace")
    outcome(lambda: json.loads(text, cls=RuntimeDecoder))


def run_frames(data: bytes) -> None:
    """What a cell writes on its pipe, in chunks whose lengths are the data's own bytes."""
    decoder, position, payloads = frames.FrameDecoder(limit=256), 0, []
    while position < len(data):
        chunk = data[position : position + 1 + data[position] % 37]
        position += len(chunk)
        try:
            payloads += decoder.feed(chunk)
        except frames.FrameError:
            return
    if not data.startswith(b"".join(map(frames.encode_frame, payloads))):
        raise FindingError("the payloads are not what came")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "value": run_value,
    "blob": run_blob,
    "qpy": run_qpy,
    "openqasm2": run_openqasm2,
    "openqasm3": run_openqasm3,
    "runtime_json": run_runtime_json,
    "frames": run_frames,
}
