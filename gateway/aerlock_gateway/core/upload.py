"""What an uploaded program must be; every field that is wrong is named in one answer."""

import re
from collections.abc import Mapping
from typing import Any, Final

from aerlock.codec.bounds import ValueBoundsError, check_map
from aerlock.v1.programs_pb2 import (
    VISIBILITY_PRIVATE,
    VISIBILITY_PUBLIC,
    VISIBILITY_UNSPECIFIED,
    Parameter,
    Program,
)
from aerlock_gateway.core.bounds import EXECUTION_TIME, LARGEST_SCHEMA, MOST_VIOLATIONS, is_execution_time
from aerlock_gateway.core.check_source import MAIN_FILE
from aerlock_gateway.core.checker import Checker, TooCostlyError
from aerlock_gateway.core.module_paths import wrong_path
from aerlock_gateway.core.resource_limits import limit_violations, smallest
from aerlock_gateway.core.values import inputs_from_json
from aerlock_gateway.errors import InvalidArgumentError, Violation

_NAME: Final = re.compile(r"[A-Za-z0-9._ -]{1,100}")
_FILES: Final = "program.source.files"
_LONGEST_SHOWN: Final = 80
_LARGEST_DESCRIPTION: Final = 8 * 1024
_LARGEST_SOURCE: Final = 750 * 1024
_MOST_FILES: Final = 64
_SCHEMAS: Final = ("parameters_schema", "return_values_schema", "interim_results_schema")
_LARGEST_DEFAULTS: Final = 64 * 1024


async def check_program(checker: Checker, account: str, program: Program) -> tuple[Program, dict[str, Any]]:
    """Returns the metadata to store, with parameters and without source, and the signature of main.

    Raises `InvalidArgumentError` that names everything that is wrong, and what `Checker` raises
    when it has no time for the account.
    """
    violations = [*_check_fields(program), *_check_files(program)]
    answer = await _ask(checker, account, program)
    violations += [Violation(field, sentence) for field, sentence in answer["violations"]]
    try:
        parameters = _parameters(answer["parameters"])
    except ValueBoundsError as error:
        violations.append(
            Violation("program.parameters_schema", f"its names, descriptions and defaults: {error}")
        )
    if violations:
        raise InvalidArgumentError.of(violations[:MOST_VIOLATIONS], reason="INVALID_PROGRAM")
    metadata = Program(
        name=program.name,
        description=program.description,
        max_execution_time=program.max_execution_time,
        parameters=parameters,
        **{schema: getattr(program, schema) for schema in _SCHEMAS},
    )
    limits = smallest(program.limits)
    if limits.ByteSize():
        metadata.limits.CopyFrom(limits)
    if program.HasField("backend_requirements"):
        metadata.backend_requirements.CopyFrom(program.backend_requirements)
    return metadata, answer["signature"]


def _parameters(described: list[dict[str, Any]]) -> list[Parameter]:
    """Returns the messages of what the checker found; raises `ValueBoundsError`."""
    defaults = {parameter["name"]: parameter.pop("default") for parameter in described}
    values = inputs_from_json({name: value for name, value in defaults.items() if value is not None})
    if values.ByteSize() > _LARGEST_DEFAULTS:
        raise ValueBoundsError(f"the defaults take {values.ByteSize():,} bytes; at most 64 KiB are allowed")
    default_values = {entry.key: entry.value for entry in values.entries}
    try:
        return [
            Parameter(**parameter, default_value=default_values.get(parameter["name"]))
            for parameter in described
        ]
    except UnicodeEncodeError:
        raise ValueBoundsError("a text has half a surrogate pair, which is no character") from None


def _check_fields(program: Program) -> list[Violation]:
    violations = []

    def require(valid: bool, field: str, sentence: str) -> None:
        if not valid:
            violations.append(Violation(f"program.{field}", sentence))

    require(
        _NAME.fullmatch(program.name) is not None and any(letter.isalnum() for letter in program.name),
        "name",
        f"{'must have' if program.name else 'is required:'} 1 to 100 letters, digits, '-', '_', '.', spaces",
    )
    require(bool(program.description.strip()), "description", "is required: say what the program does")
    require(len(program.description.encode()) <= _LARGEST_DESCRIPTION, "description", "must be at most 8 KiB")
    require(
        is_execution_time(program.max_execution_time),
        "max_execution_time",
        f"is the wall time after which a job is stopped; it is required and {EXECUTION_TIME}",
    )
    require(
        program.visibility in (VISIBILITY_UNSPECIFIED, VISIBILITY_PRIVATE, VISIBILITY_PUBLIC),
        "visibility",
        "must be VISIBILITY_PRIVATE or VISIBILITY_PUBLIC",
    )
    violations.extend(limit_violations(program.limits, "program.limits"))
    for schema in _SCHEMAS:
        size = len(getattr(program, schema).encode())
        require(size <= LARGEST_SCHEMA, schema, f"is {size:,} bytes; at most 64 KiB are allowed")
    requirements = program.backend_requirements
    require(
        not requirements.HasField("min_num_qubits") or requirements.min_num_qubits > 0,
        "backend_requirements.min_num_qubits",
        "must be above zero",
    )
    try:
        refs = check_map(requirements.other, requirements.other.ByteSize())
        require(not refs, "backend_requirements.other", "must not refer to blobs")
    except ValueBoundsError as error:
        require(False, "backend_requirements.other", str(error))
    return violations


def _check_files(program: Program) -> list[Violation]:
    files = program.source.files
    if MAIN_FILE not in files:
        return [Violation(_FILES, f"must have {MAIN_FILE}, which defines main")]
    if len(files) > _MOST_FILES:
        return [Violation(_FILES, f"has {len(files)} files; at most {_MOST_FILES} are allowed")]
    violations = []
    size = sum(len(text) for text in files.values())
    if size > _LARGEST_SOURCE:
        violations.append(
            Violation(_FILES, f"has {size:,} bytes in all; at most {_LARGEST_SOURCE:,} are allowed")
        )
    for path, text in sorted(files.items()):
        if sentence := wrong_path(path, files):
            violations.append(Violation(_FILES, f"{path[:_LONGEST_SHOWN]!r} {sentence}"))
        elif _decode(text) is None:
            violations.append(Violation(f"{_FILES}.{path}", "is not UTF-8 text"))
    return violations


async def _ask(checker: Checker, account: str, program: Program) -> dict[str, Any]:
    """Asks the checker about what is of a size and form that it takes."""
    schemas = {
        f"program.{schema}": text
        for schema in _SCHEMAS
        if len((text := getattr(program, schema)).encode()) <= LARGEST_SCHEMA
    }
    try:
        return await checker.check_program(account, _readable(program.source.files), schemas)
    except TooCostlyError:
        sentence = "takes too much time or memory to check; make the source or the schemas simpler"
        return {"violations": [("program", sentence)], "parameters": []}


def _readable(files: Mapping[str, bytes]) -> dict[str, str]:
    """Returns the text of the files that `_check_files` found nothing wrong with."""
    if len(files) > _MOST_FILES or sum(len(text) for text in files.values()) > _LARGEST_SOURCE:
        return {}
    texts = {path: _decode(text) for path, text in sorted(files.items()) if not wrong_path(path, files)}
    return {path: text for path, text in texts.items() if text is not None}


def _decode(text: bytes) -> str | None:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
