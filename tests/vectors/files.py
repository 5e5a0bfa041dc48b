"""The test vectors, as this repository's own tests read and write them."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from aerlock import codec, jsonview
from aerlock.codec.qpy import OLDEST_QPY_VERSION
from aerlock.v1.values_pb2 import Value

FOLDER = Path(__file__).parent
VALUES = FOLDER / "values"
INVALID = FOLDER / "invalid"
DECODE_ONLY = "# decode only: "
"""How ``python.txt`` begins where Python writes another message for its object; why follows."""


_MODULES = (
    *("collections", "datetime", "decimal", "fractions", "uuid", "zoneinfo"),
    *("qiskit.circuit.library", "qiskit.primitives", "qiskit.quantum_info", "qiskit.transpiler"),
    *("qiskit_aer.noise", "qiskit_aer.backends.compatibility", "scipy.optimize", "scipy.sparse"),
)
"""What expressions may name, from the top: all that is of one package is loaded by its last names."""


@dataclass(frozen=True)
class Vector:
    """One folder of `VALUES`."""

    path: Path

    @property
    def value(self) -> Value:
        """The message."""
        return text_format.Parse((self.path / "value.textproto").read_text(), Value())

    @property
    def view(self) -> object:
        """The JSON view."""
        return json.loads((self.path / "view.json").read_text())

    @property
    def expression(self) -> str:
        """What Python makes of it, as an expression."""
        return (self.path / "python.txt").read_text()

    @property
    def is_canonical(self) -> bool:
        """Whether Python writes this message for its object."""
        return not self.expression.startswith(DECODE_ONLY)


def vectors() -> list[Vector]:
    """All of them, in the order of their names."""
    return [Vector(path) for path in sorted(VALUES.iterdir())]


def evaluate(expression: str) -> object:
    """The object that an expression of ``python.txt`` gives."""
    names = {"np": np, "Tagged": codec.Tagged, "nan": float("nan"), "inf": float("inf")}
    for module in _MODULES:
        names[module.partition(".")[0]] = __import__(module)
    return eval(expression, names)


def write(name: str, expression: str | None) -> None:
    """Writes a vector anew: of an expression, or of the ``value.textproto`` that is there."""
    vector = Vector(VALUES / name)
    vector.path.mkdir(exist_ok=True, parents=True)
    if expression is not None:
        (vector.path / "python.txt").write_text(expression.strip() + "\n")
        # Every Qiskit that this project works with reads the oldest QPY.
        options = codec.EncodeOptions(qpy_version=OLDEST_QPY_VERSION)
        value = codec.to_value(evaluate(expression), options=options)
        (vector.path / "value.textproto").write_text(text_format.MessageToString(value, as_utf8=True))
    view = json.dumps(jsonview.to_python(vector.value), ensure_ascii=False, allow_nan=False, indent=1)
    (vector.path / "view.json").write_text(view + "\n")


@dataclass(frozen=True)
class InvalidVector:
    """One line of the index of `INVALID`, with its file."""

    name: str
    refused_by: str
    reason: str

    @property
    def data(self) -> bytes:
        """The bytes of the message, which may be no message."""
        binary = INVALID / f"{self.name}.binpb"
        if binary.exists():
            return binary.read_bytes()
        text = (INVALID / f"{self.name}.textproto").read_text()
        return text_format.Parse(text, Value()).SerializeToString()

    def parse(self) -> Value | None:
        """The message, if protobuf parses it."""
        try:
            return Value.FromString(self.data)
        except DecodeError:
            return None


def invalid_vectors() -> list[InvalidVector]:
    """All of them, in the order of the index."""
    lines = (INVALID / "index.tsv").read_text().splitlines()[1:]
    return [InvalidVector(*line.split("\t")) for line in lines]
