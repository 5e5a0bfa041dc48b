"""What a JSON Schema must be, and what it says of inputs; runs in the checker's process only."""

import json
from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs

from aerlock import schema_check
from aerlock.schema_check import Violation
from aerlock_gateway.core.bounds import LARGEST_SCHEMA

_MOST_SUBSCHEMAS: Final = 200
_DEEPEST: Final = 64

# A dict below one of these names subschemas; it is none itself.
_HOLDERS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})


def check_schemas(schemas: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[Violation]]:
    """Checks the schemas of a program, field name to text; "" is no schema.

    Returns the parameters that ``program.parameters_schema`` describes, and what is wrong.
    """
    violations: list[Violation] = []
    parameters: list[dict[str, Any]] = []
    for field, text in schemas.items():
        if not text:
            continue
        try:
            schema = _load(text)
            validator = schema_check.compile_schema(schema)
        except ValueError as error:
            violations.append((field, schema_check.shorten(str(error))))
            continue
        if field == "program.parameters_schema":
            violations += _check_parameters(field, schema, validator)
            parameters = _describe(schema)
    return parameters, violations


def check_inputs(schema_text: str, inputs_text: str) -> dict[str, Any]:
    """Applies a schema that was accepted at upload to inputs, an object as JSON text.

    Returns ``violations``, pairs of JSON pointer and sentence, and ``defaults``,
    what the schema gives to the inputs that are not set. What depends on the
    content of blobs and large arrays is no violation: it is not known here.
    """
    schema = _load(schema_text)
    inputs = json.loads(inputs_text)
    defaults = {name: value for name, value in _defaults(schema).items() if name not in inputs}
    validator = schema_check.compile_schema(schema)
    violations = [
        (pointer, "is not an input of this program" if sentence == "is not known" else sentence)
        for pointer, sentence in schema_check.violations(validator, {**inputs, **defaults})
    ]
    return {"violations": violations, "defaults": defaults}


def _load(text: str) -> dict[str, Any]:
    """Parses a schema's text; raises ValueError with what is wrong."""
    if len(text.encode()) > LARGEST_SCHEMA:
        raise ValueError(f"is larger than {LARGEST_SCHEMA // 1024} KiB; make it smaller")
    try:
        schema = json.loads(text)
    except RecursionError:
        raise ValueError(f"is nested deeper than {_DEEPEST} levels") from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise ValueError('must be a JSON Schema object, as in {"type": "object"}')
    _check_extent(schema)
    return schema


def _check_extent(schema: dict[str, Any]) -> None:
    pending: list[tuple[Any, int, bool]] = [(schema, 1, True)]
    count = 0
    while pending:
        node, depth, is_schema = pending.pop()
        if depth > _DEEPEST:
            raise ValueError(f"is nested deeper than {_DEEPEST} levels")
        if isinstance(node, dict):
            count += is_schema
            pending += [(child, depth + 1, key not in _HOLDERS) for key, child in node.items()]
        elif isinstance(node, list):
            pending += [(child, depth + 1, True) for child in node]
    if count > _MOST_SUBSCHEMAS:
        raise ValueError(f"has {count} subschemas; at most {_MOST_SUBSCHEMAS} are allowed")


def _check_parameters(
    field: str, schema: dict[str, Any], validator: jsonschema_rs.Validator
) -> list[Violation]:
    if schema.get("type", "object") != "object":
        return [(field, 'describes all inputs at once, so its type must be "object"')]
    defaults = _defaults(schema)
    if not defaults:
        return []
    # What the defaults alone lack, inputs may bring.
    wrong = schema_check.violations(validator, defaults, below_root=True)
    return [(field, f"the default at {pointer}: {sentence}") for pointer, sentence in wrong]


def _defaults(schema: dict[str, Any]) -> dict[str, Any]:
    # A default of null means unset, as an input of null does.
    return {
        name: entry["default"]
        for name, entry in _properties(schema).items()
        if isinstance(entry, dict) and entry.get("default") is not None
    }


def _describe(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    described = []
    for name, entry in _properties(schema).items():
        entry = entry if isinstance(entry, dict) else {}
        types = entry.get("type", [])
        description = entry.get("description", "")
        described.append(
            {
                "name": name,
                "description": description if isinstance(description, str) else "",
                "types": [types] if isinstance(types, str) else types,
                "required": name in required,
                "default": entry.get("default"),
            }
        )
    return described


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    return properties if isinstance(properties, dict) else {}
