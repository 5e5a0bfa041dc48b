"""Reads the source and the metadata of a program that is to be uploaded."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aerlock import codec
from aerlock._times import to_duration
from aerlock.exceptions import InputValueError
from aerlock.v1 import programs_pb2

MAIN_FILE: Final = "program.py"
REQUIRED: Final = ("name", "description", "max_execution_time")
METADATA_KEYS: Final = (*REQUIRED, "is_public", "spec")
SCHEMAS: Final = ("parameters", "return_values", "interim_results")
SPEC_KEYS: Final = ("backend_requirements", *SCHEMAS)


def read_source(data: str | Path) -> dict[str, bytes]:
    """The files of a program: of a text, of a .py file, or of a folder with program.py.

    Raises `InputValueError` where ``data`` is none of these, or cannot be read.
    """
    if isinstance(data, str) and ("\n" in data or "def main(" in data):
        try:
            return {MAIN_FILE: data.encode()}
        except UnicodeEncodeError as error:
            raise InputValueError(f"data is source text that is not UTF-8: {error}") from None
    if not isinstance(data, str | Path) or not str(data):
        raise InputValueError(f"data must be source text or a path, not {data!r:.40}")
    try:
        return _read_files(Path(data))
    except OSError as error:
        raise InputValueError(f"data {str(data)!r} cannot be read: {error.strerror or error}") from None


def _read_files(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {MAIN_FILE: path.read_bytes()}
    if path.is_dir():
        if not (path / MAIN_FILE).is_file():
            raise InputValueError(f"the folder {path} has no {MAIN_FILE}, which must define main")
        return {file.name: file.read_bytes() for file in sorted(path.glob("*.py")) if file.is_file()}
    raise InputValueError(
        f"data must be source text that defines main, a .py file or a folder: {path} is no file"
    )


def read_metadata(metadata: Mapping[str, Any] | str | Path | None) -> dict[str, Any]:
    """The metadata of a dict or of a JSON file; raises `InputValueError` that says what is wrong."""
    if isinstance(metadata, str | Path):
        try:
            metadata = json.loads(Path(metadata).read_text())
        except (OSError, ValueError) as error:
            raise InputValueError(f"metadata {str(metadata)!r} is not a JSON file: {error}") from None
    checked = _checked("metadata", metadata or {}, METADATA_KEYS)
    checked["spec"] = _checked("spec", checked.get("spec") or {}, SPEC_KEYS)
    for name in REQUIRED:
        if not checked.get(name):
            raise InputValueError(f"{name} is a required metadata field.")
    return checked


def to_program(metadata: dict[str, Any], source: dict[str, bytes]) -> programs_pb2.Program:
    """Makes the message of what `read_metadata` and `read_source` gave."""
    spec = metadata["spec"]
    visibility = (
        programs_pb2.VISIBILITY_PUBLIC if metadata.get("is_public") else programs_pb2.VISIBILITY_PRIVATE
    )
    program = programs_pb2.Program(
        name=_text("name", metadata["name"]),
        description=_text("description", metadata["description"]),
        visibility=visibility,
        source=programs_pb2.ProgramSource(files=source),
    )
    limit = to_duration(metadata["max_execution_time"], "max_execution_time")
    program.max_execution_time.CopyFrom(limit)
    for name in SCHEMAS:
        if spec.get(name):
            setattr(program, f"{name}_schema", _json(f"spec.{name}", spec[name]))
    if requirements := spec.get("backend_requirements"):
        _write_requirements(requirements, program.backend_requirements)
    return program


def _write_requirements(given: object, target: programs_pb2.BackendRequirements) -> None:
    if not isinstance(given, Mapping):
        raise InputValueError(f"backend_requirements must be a dict, not {type(given).__name__}")
    requirements = dict(given)
    qubits = requirements.pop("min_num_qubits", None)
    if qubits is not None:
        if isinstance(qubits, bool) or not isinstance(qubits, int) or not 0 < qubits < 2**31:
            raise InputValueError(
                f"backend_requirements.min_num_qubits must be an integer above zero, not {qubits!r}"
            )
        target.min_num_qubits = qubits
    try:
        target.other.CopyFrom(codec.to_map(requirements, "backend_requirements"))
    except (TypeError, ValueError) as error:
        raise InputValueError(str(error)) from None


def _json(name: str, value: object) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputValueError(f"{name} must be a JSON Schema: {error}") from None


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InputValueError(f"{name} must be a string, not {value!r}")
    return value


def _checked(name: str, value: object, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputValueError(f"{name} must be a dict, not {type(value).__name__}")
    if unknown := [key for key in value if key not in keys]:
        raise InputValueError(f"{name} has the unknown key {unknown[0]!r}: there are {', '.join(keys)}")
    return dict(value)
