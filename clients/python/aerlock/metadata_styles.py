"""Older styles of describing parameters and results, turned into JSON Schema; nothing is dropped.

- a list of ``{"name", "description", "type", "required"}`` in place of a schema;
- types in words of Python, as in ``"type": "int"`` or ``"type": "Union[str, None]"``: those that JSON
  has become its own, any other moves into the description;
- ``min`` and ``max``, which JSON Schema does not know: ``minimum`` and ``maximum``.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from aerlock.exceptions import InputValueError

_WHOLE: Final = "-"  # as programs called a result that has no parts
_JSON_TYPES: Final = {
    **dict.fromkeys(("int", "integer"), "integer"),
    **dict.fromkeys(("float", "number"), "number"),
    **dict.fromkeys(("str", "string"), "string"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
    **dict.fromkeys(("dict", "object"), "object"),
    **dict.fromkeys(("list", "tuple", "array"), "array"),
    **dict.fromkeys(("none", "nonetype", "null"), "null"),
}
_NAMES_OF_JSON: Final = frozenset(_JSON_TYPES.values())
_BOUNDS: Final = {"min": "minimum", "max": "maximum"}
_MAPS: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_SCHEMAS: Final = ("items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames")
_DEEPEST: Final = 64


def schema_of(name: str, described: object, notes: list[str]) -> object:
    """The JSON Schema that a description means; ``notes`` get what was changed.

    Raises `InputValueError` for a list that is not of the older style. What is no
    description at all is returned as it is: the server says what is wrong with it.
    """
    if isinstance(described, list):
        notes.append(f"{name} is a list")
        described = _of_list(name, described)
    return _modern(described, name, notes, 0)


def _of_list(name: str, entries: list[Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str) or not entry["name"]:
            raise InputValueError(
                f"{name}[{index}] must be a dict with a name, as in"
                ' {"name": "shots", "description": "...", "type": "int", "required": false}'
            )
        described = {key: value for key, value in entry.items() if key not in ("name", "required")}
        if entry["name"] in properties:
            raise InputValueError(f"{name}[{index}] has the name {entry['name']!r} for the second time")
        properties[entry["name"]] = described
        if str(entry.get("required", False)).lower() == "true":
            required.append(entry["name"])
    if name != "parameters" and list(properties) == [_WHOLE]:
        whole: dict[str, Any] = properties[_WHOLE]
        return whole
    # What a program publishes was described by its parts, also where it published a list of them.
    schema = {"type": "object"} if name == "parameters" else {}
    return {**schema, "properties": properties, **({"required": required} if required else {})}


def _modern(schema: object, place: str, notes: list[str], depth: int) -> object:
    """A schema in words that JSON Schema has; where it has others, they stay as they are."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return schema
    changed: dict[str, Any] = {}
    for key, value in schema.items():
        inner = f"{place}.{key}"
        if key in _MAPS and isinstance(value, Mapping):
            value = {name: _modern(part, f"{inner}.{name}", notes, depth + 1) for name, part in value.items()}
        elif key in _LISTS and isinstance(value, list):
            value = [_modern(part, inner, notes, depth + 1) for part in value]
        elif key in _SCHEMAS:
            value = _modern(value, inner, notes, depth + 1)
        changed[key] = value
    _rename_bounds(changed, place, notes)
    _translate_type(changed, place, notes)
    return changed


def _rename_bounds(schema: dict[str, Any], place: str, notes: list[str]) -> None:
    for old, new in _BOUNDS.items():
        value = schema.get(old)
        if isinstance(value, int | float) and not isinstance(value, bool) and new not in schema:
            schema[new] = schema.pop(old)
            notes.append(f"{place}: {old} became {new}")


def _translate_type(schema: dict[str, Any], place: str, notes: list[str]) -> None:
    given = schema.get("type")
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        return
    if _NAMES_OF_JSON.issuperset(words):
        return
    text = " or ".join(words)
    alternatives = [part for word in words for part in _alternatives(word)]
    if types := _json_types(alternatives):
        schema["type"] = types[0] if len(types) == 1 else types
        notes.append(f"{place}: the type {text!r} became {schema['type']!r}")
    else:
        del schema["type"]
        notes.append(f"{place}: the type {text!r} is only described, JSON has none such")
    if not types or any("[" in part for part in alternatives):  # it said more than JSON's types do
        description = schema.get("description", "")
        schema["description"] = f"{description} (type: {text})" if description else f"Type: {text}"


def _json_types(alternatives: list[str]) -> list[str]:
    """JSON's names of all the types, each once; none where JSON lacks one of them."""
    types: dict[str, None] = {}
    for word in alternatives:
        name = _JSON_TYPES.get(word.partition("[")[0].strip().lower())
        if name is None:
            return []
        types[name] = None
    return list(types)


def _alternatives(text: str) -> list[str]:
    """The types of which a text names one: of Optional and Union, and between "or" and "|"."""
    text = text.replace("typing.", "").strip()
    if match := re.fullmatch(r"(Optional|Union)\[(.*)\]", text, re.DOTALL):
        nulls = ["null"] if match[1] == "Optional" else []
        return [word for part in _split(match[2], ",") for word in _alternatives(part)] + nulls
    return [part for alternative in text.split(" or ") for part in _split(alternative, "|")]


def _split(text: str, separator: str) -> list[str]:
    """The parts of a text between separators that stand in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        if letter == separator and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
