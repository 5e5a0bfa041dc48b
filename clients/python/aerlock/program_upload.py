"""Makes the message of a program that is to be uploaded or updated, of its source and its metadata."""

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aerlock import codec
from aerlock._times import to_duration
from aerlock.exceptions import InputValueError
from aerlock.program_metadata import SCHEMAS
from aerlock.resource_limits import ResourceLimits
from aerlock.v1 import programs_pb2

MAIN_FILE: Final = "program.py"
PACKAGE_FILE: Final = "__init__.py"
MOST_FILES: Final = 64
LARGEST_SOURCE: Final = 750 * 1024


def read_source(data: str | Path) -> dict[str, bytes]:
    """The files of a program: of a text, of a .py file, or of a folder with program.py.

    Of a folder come its .py files and those of the packages in it, the folders with
    an ``__init__.py``; for another folder with .py files there is a UserWarning.
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
    if not path.is_dir():
        raise InputValueError(
            f"data must be source text that defines main, a .py file or a folder: {path} is no file"
        )
    if not (path / MAIN_FILE).is_file():
        raise InputValueError(f"the folder {path} has no {MAIN_FILE}, which must define main")
    files: dict[str, bytes] = {}
    size = 0
    for file in _modules(path):
        size += file.stat().st_size
        if len(files) == MOST_FILES or size > LARGEST_SOURCE:
            raise InputValueError(
                f"the folder {path} is too large for a program, which has at most {MOST_FILES} .py files"
                f" and {LARGEST_SOURCE // 1024} KiB; move away what it does not import"
            )
        files[file.relative_to(path).as_posix()] = file.read_bytes()
    return files


def _modules(folder: Path) -> Iterator[Path]:
    """The .py files of a folder and of the packages in it."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "__pycache__")):
            continue
        if entry.suffix == ".py" and entry.is_file():
            yield entry
        elif entry.is_symlink() or not entry.is_dir():
            continue
        elif (entry / PACKAGE_FILE).is_file():
            yield from _modules(entry)
        elif any(entry.glob("*.py")):
            warnings.warn(
                f"{entry} is not uploaded: it has no {PACKAGE_FILE}, so it is no package of the program.",
                UserWarning,
                stacklevel=2,
            )


def to_program(
    metadata: Mapping[str, Any], source: Mapping[str, bytes] | None = None
) -> tuple[programs_pb2.Program, list[str]]:
    """Makes the message of what `read_metadata` and `read_source` gave, and names the fields that are given.

    Raises `InputValueError` for a value that no field can hold.
    """
    program = programs_pb2.Program()
    paths = [name for name in ("name", "description") if metadata.get(name) is not None]
    for name in paths:
        setattr(program, name, _text(name, metadata[name]))
    if metadata.get("max_execution_time") is not None:
        limit = to_duration(metadata["max_execution_time"], "max_execution_time")
        program.max_execution_time.CopyFrom(limit)
        paths.append("max_execution_time")
    if metadata.get("limits") is not None:
        program.limits.CopyFrom(ResourceLimits.of(metadata["limits"]).to_message())
        paths.append("limits")
    if metadata.get("is_public") is not None:
        program.visibility = visibility(metadata["is_public"])
        paths.append("visibility")
    spec = metadata.get("spec") or {}
    for name in SCHEMAS:
        if name in spec:
            schema = _json(f"spec.{name}", spec[name]) if spec[name] else ""
            setattr(program, f"{name}_schema", schema)
            paths.append(f"{name}_schema")
    if "backend_requirements" in spec:
        _write_requirements(spec["backend_requirements"] or {}, program.backend_requirements)
        paths.append("backend_requirements")
    if source is not None:
        program.source.files.update(source)
        paths.append("source")
    return program, paths


def visibility(is_public: object) -> programs_pb2.Visibility.ValueType:
    """The message's word for ``is_public``; raises `InputValueError` where that is no bool."""
    if not isinstance(is_public, bool):
        raise InputValueError(f"is_public must be True or False, not {is_public!r}")
    return programs_pb2.VISIBILITY_PUBLIC if is_public else programs_pb2.VISIBILITY_PRIVATE


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
