"""A job's inputs: what main can take, what the schema says, defaults filled in."""

import asyncio
import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from aerlock.codec.bounds import ValueBoundsError, check_map
from aerlock.jsonview import map_to_python
from aerlock.v1.values_pb2 import BlobRef, MapValue
from aerlock_gateway.core.bounds import MOST_VIOLATIONS
from aerlock_gateway.core.checker import Checker, TooCostlyError
from aerlock_gateway.core.values import inputs_from_json
from aerlock_gateway.errors import InvalidArgumentError, Violation

_MOST_NAMES: Final = 10
_LONGEST_NAME: Final = 64
_LARGE: Final = 16 * 1024


async def resolve_inputs(
    checker: Checker, account: str, inputs: MapValue, signature: Mapping[str, Any], schema: str
) -> tuple[MapValue, list[BlobRef]]:
    """Returns the inputs as the program gets them, and the blobs that they refer to.

    Inputs that are null are left out, and the schema's defaults are filled in.
    Raises `InvalidArgumentError` that names the inputs that are wrong, missing or unknown.
    """
    _check_bounds(inputs, "")
    resolved = MapValue(entries=[entry for entry in inputs.entries if not entry.value.HasField("null_value")])
    violations = _unknown(resolved, signature)
    if schema:
        violations += await _apply_schema(checker, account, schema, resolved)
    violations += _missing(resolved, signature)
    if violations:
        # The first sentence about each field: main and schema may find the same.
        first = {violation.field: violation for violation in reversed(violations)}
        violations = [violation for violation in violations if violation is first[violation.field]]
        raise InvalidArgumentError.of(violations[:MOST_VIOLATIONS])
    return resolved, _check_bounds(resolved, "with the program's defaults ")


def _check_bounds(inputs: MapValue, which: str) -> list[BlobRef]:
    try:
        return check_map(inputs, inputs.ByteSize())
    except ValueBoundsError as error:
        raise InvalidArgumentError.of([Violation("inputs", f"{which}{error}")]) from None


def _unknown(inputs: MapValue, signature: Mapping[str, Any]) -> list[Violation]:
    if signature["any_name"]:
        return []
    known = signature["parameters"]
    cure = f"the inputs are {', '.join(known[:_MOST_NAMES])}" if known else "the program takes none"
    unknown = (entry.key for entry in inputs.entries if entry.key not in known)
    return [
        Violation(input_field(key), f"is not an input of this program; {cure}")
        for key in islice(unknown, MOST_VIOLATIONS)
    ]


def _missing(inputs: MapValue, signature: Mapping[str, Any]) -> list[Violation]:
    have = {entry.key for entry in inputs.entries}
    return [Violation(input_field(name), "is required") for name in signature["required"] if name not in have]


async def _apply_schema(checker: Checker, account: str, schema: str, inputs: MapValue) -> list[Violation]:
    """Returns what the schema finds wrong, and appends its defaults to ``inputs``."""
    try:
        answer = await checker.check_inputs(account, schema, await _view(inputs))
    except TooCostlyError:
        return [Violation("inputs", "take too much time or memory to check against the program's schema")]
    try:
        inputs.MergeFrom(inputs_from_json(answer["defaults"]))
    except ValueBoundsError as error:
        return [Violation("inputs", f"a default of the program cannot be used: {error}")]
    return [_explain(pointer, sentence) for pointer, sentence in answer["violations"]]


async def _view(inputs: MapValue) -> str:
    """Returns the inputs as JSON; large ones are written in a thread, beside the streams of others."""
    if inputs.ByteSize() > _LARGE:
        return await asyncio.to_thread(_write_json, inputs)
    return _write_json(inputs)


def _write_json(inputs: MapValue) -> str:
    return json.dumps(map_to_python(inputs), allow_nan=False)


def _explain(pointer: str, sentence: str) -> Violation:
    name, _, rest = pointer.removeprefix("/").partition("/")
    if not name:
        return Violation("inputs", sentence)
    plain = name.replace("~1", "/").replace("~0", "~")
    return Violation(input_field(plain), f"at /{rest}: {sentence}" if rest else sentence)


def input_field(name: str) -> str:
    """Returns how violations call an input."""
    return f"inputs.{name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + '…'}"
