"""What a JSON Schema must be, and what it says of inputs; runs in the checker's process only."""

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

import jsonschema_rs

from aerlock_gateway.core.bounds import LARGEST_SCHEMA, MOST_VIOLATIONS
from aerlock_gateway.core.opaque_places import OpaquePlaces

_MOST_SUBSCHEMAS: Final = 200
_DEEPEST: Final = 64
_LONGEST_SENTENCE: Final = 160
_LONGEST_PATH: Final = 100
_REGEX_BYTES: Final = 1 << 20

# A dict below one of these names subschemas; it is none itself.
_HOLDERS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})

Violation = tuple[str, str]


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
            validator = _compile(schema)
        except ValueError as error:
            violations.append((field, _shorten(str(error))))
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
    errors = _compile(schema).iter_errors({**inputs, **defaults})
    opaque = OpaquePlaces.of(inputs)
    certain = (error for error in errors if not opaque.may_decide(error))
    return {"violations": list(_explain(certain)), "defaults": defaults}


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


def _compile(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    """Compiles with regular expressions of linear time, fetching nothing; raises ValueError.

    ``mask`` keeps the text of what is checked out of the messages.
    """
    try:
        return jsonschema_rs.validator_for(
            schema,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_REGEX_BYTES, dfa_size_limit=_REGEX_BYTES),
            retriever=_refuse,
            mask="it",
        )
    except jsonschema_rs.ValidationError as error:
        if error.kind.name == "$ref":
            raise ValueError(f"follows only references within itself: {error.message}") from None
        place = _pointer(error.instance_path)
        raise ValueError(f"is not a valid JSON Schema{place and ' at '}{place}: {error.message}") from None


def _refuse(uri: str, /) -> NoReturn:
    """Fetches nothing: by default the library reads files and asks the network."""
    raise ValueError("refused")


def _check_parameters(
    field: str, schema: dict[str, Any], validator: jsonschema_rs.Validator
) -> list[Violation]:
    if schema.get("type", "object") != "object":
        return [(field, 'describes all inputs at once, so its type must be "object"')]
    defaults = _defaults(schema)
    if not defaults:
        return []
    wrong = (error for error in validator.iter_errors(defaults) if error.instance_path)
    return [(field, f"the default at {pointer}: {sentence}") for pointer, sentence in _explain(wrong)]


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


def _explain(errors: Iterable[jsonschema_rs.ValidationError]) -> Iterable[Violation]:
    for error in itertools.islice(errors, MOST_VIOLATIONS):
        path, kind = error.instance_path, error.kind
        # Name the inputs that are missing or too many rather than the whole.
        if kind.name == "required" and not path:
            yield _pointer([kind.as_dict()["property"]]), "is required"
        elif kind.name == "additionalProperties" and not path:
            for name in kind.as_dict()["unexpected"][:MOST_VIOLATIONS]:
                yield _pointer([name]), "is not an input of this program"
        else:
            yield _pointer(path), _shorten(error.message)


def _pointer(path: Iterable[str | int]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    pointer = "".join(f"/{part}" for part in parts)
    return pointer if len(pointer) <= _LONGEST_PATH else pointer[: _LONGEST_PATH - 1] + "…"


def _shorten(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST_SENTENCE else sentence[: _LONGEST_SENTENCE - 1] + "…"
