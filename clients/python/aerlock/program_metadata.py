"""Reads the metadata of a program, in every shape that programs of the original had."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aerlock.exceptions import InputValueError
from aerlock.metadata_styles import schema_of
from aerlock.resource_limits import LIMIT_NAMES
from aerlock.unknown_keys import cure_of

REQUIRED: Final = ("name", "description", "max_execution_time")
METADATA_KEYS: Final = (*REQUIRED, "limits", "is_public", "spec")
SCHEMAS: Final = ("parameters", "return_values", "interim_results")
SPEC_KEYS: Final = ("backend_requirements", *SCHEMAS)

_IN_METADATA: Final = {
    "timeout": "that is max_execution_time.",
    **dict.fromkeys(LIMIT_NAMES, "it belongs into limits."),
}
_IN_SPEC: Final = dict.fromkeys(METADATA_KEYS, "it belongs beside spec, not in it.")
_MOST_NOTES: Final = 10
_CALLER: Final = 4  # upload_program's caller, above read_metadata and upload_program


def read_metadata(
    metadata: Mapping[str, Any] | str | Path | None, fields: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The metadata of a dict or of a JSON file, with ``fields`` that are not None in place of theirs.

    The result has keys of `METADATA_KEYS` only, and JSON Schemas in its ``spec``.
    Older styles become that, with one UserWarning that tells what was changed.
    Raises `InputValueError` that says what is wrong.
    """
    given = dict(_checked("metadata", _load(metadata), (*METADATA_KEYS, *SPEC_KEYS, "version")))
    given.update({name: value for name, value in (fields or {}).items() if value is not None})
    notes: list[str] = []
    if given.pop("version", None) is not None:
        notes.append("version is left out: the server counts revisions itself")
    spec = dict(_checked("spec", given.pop("spec", None) or {}, SPEC_KEYS))
    for name in [name for name in SPEC_KEYS if name in given]:
        if name in spec:
            raise InputValueError(f"{name} is both in metadata and in its spec; give it once")
        notes.append(f"{name} belongs into spec")
        spec[name] = given.pop(name)
    for name in SCHEMAS:
        if spec.get(name):
            spec[name] = schema_of(name, spec[name], notes)
    if notes:
        _warn(notes)
    return {**given, "spec": spec}


def check_required(metadata: Mapping[str, Any]) -> None:
    """Raises `InputValueError` that names a field without which there is no program."""
    for name in REQUIRED:
        if not metadata.get(name):
            raise InputValueError(f"{name} is a required metadata field.")


def _load(metadata: Mapping[str, Any] | str | Path | None) -> object:
    if not isinstance(metadata, str | Path):
        return metadata or {}
    try:
        return json.loads(Path(metadata).read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputValueError(f"metadata {str(metadata)!r} is not a JSON file: {error}") from None


def _checked(name: str, value: object, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputValueError(f"{name} must be a dict, not {type(value).__name__}")
    if unknown := [key for key in value if key not in keys]:
        known = METADATA_KEYS if keys[: len(METADATA_KEYS)] == METADATA_KEYS else keys
        cures = _IN_METADATA if known == METADATA_KEYS else _IN_SPEC
        raise InputValueError(
            f"{name} has the unknown key {unknown[0]!r}: {cure_of(unknown[0], known, cures)}"
        )
    return value


def _warn(notes: list[str]) -> None:
    more = f", and {len(notes) - _MOST_NOTES} more" if len(notes) > _MOST_NOTES else ""
    warnings.warn(
        f"The metadata was taken as JSON Schema has it: {'; '.join(notes[:_MOST_NOTES])}{more}.",
        UserWarning,
        stacklevel=_CALLER,
    )
