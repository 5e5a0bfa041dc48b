"""What an uploaded program must be; every field that is wrong is named in one answer."""

import re
from typing import Final

from aerlock.codec.bounds import ValueBoundsError, check_map
from aerlock.v1.programs_pb2 import VISIBILITY_PRIVATE, VISIBILITY_PUBLIC, VISIBILITY_UNSPECIFIED, Program
from aerlock_gateway.core.checker import Checker, TooCostlyError
from aerlock_gateway.core.values import from_json
from aerlock_gateway.errors import InvalidArgumentError, Violation

MAIN_FILE: Final = "program.py"
_NAME: Final = re.compile(r"[A-Za-z0-9._ -]{1,100}")
_FILE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\.py")
_LARGEST_DESCRIPTION: Final = 8 * 1024
_LARGEST_SOURCE: Final = 750 * 1024
_MOST_FILES: Final = 64
_MOST_VIOLATIONS: Final = 20
_SCHEMAS: Final = ("parameters_schema", "return_values_schema", "interim_results_schema")
_LARGEST_SCHEMA: Final = 64 * 1024


async def check_program(checker: Checker, program: Program) -> tuple[Program, dict[str, object]]:
    """Returns the metadata to store, with parameters and without source, and the signature of main.

    Raises `InvalidArgumentError` that names everything that is wrong.
    """
    violations = [*_check_fields(program), *_check_files(program)]
    answer = await _ask(checker, program)
    violations += [Violation(field, sentence) for field, sentence in answer["violations"]]  # type: ignore[attr-defined]
    if violations:
        raise InvalidArgumentError.of(violations[:_MOST_VIOLATIONS], reason="INVALID_PROGRAM")
    metadata = Program(
        name=program.name,
        description=program.description,
        max_execution_time=program.max_execution_time,
        **{schema: getattr(program, schema) for schema in _SCHEMAS},
    )
    if program.HasField("backend_requirements"):
        metadata.backend_requirements.CopyFrom(program.backend_requirements)
    for parameter in answer["parameters"]:  # type: ignore[attr-defined]
        default = parameter.pop("default")
        added = metadata.parameters.add(**parameter)
        if default is not None:
            added.default_value.CopyFrom(from_json(default))
    return metadata, answer["signature"]  # type: ignore[return-value]


def _check_fields(program: Program) -> list[Violation]:
    violations = []

    def require(valid: bool, field: str, sentence: str) -> None:
        if not valid:
            violations.append(Violation(f"program.{field}", sentence))

    require(
        _NAME.fullmatch(program.name) is not None and any(letter.isalnum() for letter in program.name),
        "name",
        "is required: 1 to 100 letters, digits, '-', '_', '.' and spaces",
    )
    require(bool(program.description.strip()), "description", "is required: say what the program does")
    require(len(program.description.encode()) <= _LARGEST_DESCRIPTION, "description", "must be at most 8 KiB")
    limit = program.max_execution_time
    require(
        limit.seconds >= 0 and limit.nanos >= 0 and (limit.seconds, limit.nanos) > (0, 0),
        "max_execution_time",
        "is required: the wall time in seconds, above zero, after which a job is stopped",
    )
    require(
        program.visibility in (VISIBILITY_UNSPECIFIED, VISIBILITY_PRIVATE, VISIBILITY_PUBLIC),
        "visibility",
        "must be VISIBILITY_PRIVATE or VISIBILITY_PUBLIC",
    )
    for schema in _SCHEMAS:
        size = len(getattr(program, schema).encode())
        require(size <= _LARGEST_SCHEMA, schema, f"is {size:,} bytes; at most 64 KiB are allowed")
    requirements = program.backend_requirements
    require(
        not requirements.HasField("min_num_qubits") or requirements.min_num_qubits > 0,
        "backend_requirements.min_num_qubits",
        "must be above zero",
    )
    try:
        check_map(requirements.other, requirements.other.ByteSize())
    except ValueBoundsError as error:
        require(False, "backend_requirements.other", str(error))
    return violations


def _check_files(program: Program) -> list[Violation]:
    files = program.source.files
    field = "program.source.files"
    if MAIN_FILE not in files:
        return [Violation(field, f"must have {MAIN_FILE}, which defines main")]
    if len(files) > _MOST_FILES:
        return [Violation(field, f"has {len(files)} files; at most {_MOST_FILES} are allowed")]
    violations = []
    size = sum(len(text) for text in files.values())
    if size > _LARGEST_SOURCE:
        violations.append(
            Violation(field, f"has {size:,} bytes in all; at most {_LARGEST_SOURCE:,} are allowed")
        )
    for name, text in sorted(files.items()):
        if not _FILE_NAME.fullmatch(name):
            violations.append(Violation(field, f"{name[:40]!r} is not a name of a module, as in helpers.py"))
        elif _decode(text) is None:
            violations.append(Violation(f"{field}.{name}", "is not UTF-8 text"))
    return violations


async def _ask(checker: Checker, program: Program) -> dict[str, object]:
    """Asks the checker about what is of a size and form that it takes."""
    schemas = {
        f"program.{schema}": text
        for schema in _SCHEMAS
        if len((text := getattr(program, schema)).encode()) <= _LARGEST_SCHEMA
    }
    main = program.source.files.get(MAIN_FILE, b"")
    source = _decode(main) if len(main) <= _LARGEST_SOURCE else None
    try:
        answer = await checker.check_program(source or "", schemas)
    except TooCostlyError:
        sentence = "takes too much time or memory to check; make the source or the schemas simpler"
        return {"violations": [("program", sentence)]}
    if source is None or MAIN_FILE not in program.source.files:
        # What is wrong with the file has been said; the schemas were still worth an answer.
        field = f"program.source.files.{MAIN_FILE}"
        answer["violations"] = [entry for entry in answer["violations"] if entry[0] != field]
    return answer


def _decode(text: bytes) -> str | None:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None
