"""The checker's process: what it finds, and that nothing hostile lasts or harms the next check."""

import json

import pytest

from aerlock_gateway.core.checker import Checker, TooCostlyError

GOOD = "def main(backend, user_messenger, a, b=1, *, c, d=2, **rest): pass"


@pytest.fixture
async def checker():
    checker = Checker()
    yield checker
    await checker.close()


async def test_signature_names_what_main_takes(checker):
    answer = await checker.check_program("account", {"program.py": GOOD}, {})
    assert answer["violations"] == []
    assert answer["signature"] == {
        "parameters": ["a", "b", "c", "d"],
        "required": ["a", "c"],
        "any_name": True,
    }


async def test_last_definition_of_main_counts(checker):
    source = "def main(): pass\ndef main(a, b, c): pass"
    answer = await checker.check_program("account", {"program.py": source}, {})
    assert (answer["violations"], answer["signature"]["required"]) == ([], ["c"])


EXPLOSION = {
    "$defs": {str(n): {"anyOf": [{"$ref": f"#/$defs/{n + 1}"}] * 3} for n in range(25)} | {"25": False},
    "$ref": "#/$defs/0",
}


async def test_schema_that_explodes_is_too_costly_and_harms_no_later_check(checker):
    with pytest.raises(TooCostlyError):
        await checker.check_inputs("account", json.dumps(EXPLOSION), "{}")
    assert (await checker.check_program("account", {"program.py": GOOD}, {}))["violations"] == []


@pytest.mark.parametrize(
    ("schema", "places"),
    [
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, ["/a"]),
        ({"properties": {"n": {"uniqueItems": True}}}, []),
        ({"properties": {"n": {"uniqueItems": True}, "a": {"maxLength": 1}}}, ["/a"]),
    ],
)
async def test_hostile_instance_is_judged_in_linear_time(checker, schema, places):
    inputs = json.dumps({"a": "a" * 50_000 + "!", "n": [[n] for n in range(20_000)]})
    answer = await checker.check_inputs("account", json.dumps(schema), inputs)
    assert [place for place, _ in answer["violations"]] == places


async def test_pattern_that_compiles_to_too_much_is_refused(checker):
    schemas = {"program.parameters_schema": '{"properties": {"a": {"pattern": "(x{1,1000}){1,1000}"}}}'}
    answer = await checker.check_program("account", {"program.py": GOOD}, schemas)
    (violation,) = answer["violations"]
    assert violation[0] == "program.parameters_schema"
    assert "regex" in violation[1]


async def test_violations_are_few_short_and_without_the_inputs_text(checker):
    schema = {"properties": {"n": {"items": {"type": "integer"}}, "s": {"maxLength": 3, "enum": ["abc"]}}}
    inputs = {"n": ["secret"] * 5000, "s": "secret" * 1000}
    answer = await checker.check_inputs("account", json.dumps(schema), json.dumps(inputs))
    assert len(answer["violations"]) == 20
    assert len(json.dumps(answer)) < 4096
    assert "secret" not in json.dumps(answer)
    assert answer["violations"][0][0] == "/n/0"


async def test_defaults_fill_what_is_unset(checker):
    schema = {"properties": {"a": {"default": [1, {"b": None}]}, "b": {"default": 2}, "c": {"default": None}}}
    answer = await checker.check_inputs("account", json.dumps(schema), '{"b": 5}')
    assert answer == {"violations": [], "defaults": {"a": [1, {"b": None}]}}


BLOB, ARRAY = {"__type__": "blob"}, {"__type__": "ndarray"}
LARGE_LIST = {"properties": {"x": {"type": "array", "minItems": 5}}}


@pytest.mark.parametrize(
    ("schema", "inputs"),
    [
        ({"required": ["x"], "properties": {"x": {"type": "array"}}}, {"x": ARRAY}),
        ({"properties": {"x": {"type": "object", "required": ["a"]}}}, {"x": BLOB}),
        ({"properties": {"x": {"type": "object", "additionalProperties": False}}}, {"x": BLOB}),
        ({"properties": {"x": {"items": {"type": "string"}}}}, {"x": ["a", BLOB]}),
        ({"properties": {"x": {"contains": {"type": "number"}}}}, {"x": [ARRAY]}),
        ({"properties": {"x": {"uniqueItems": True}}}, {"x": [BLOB, BLOB]}),
        ({"properties": {"x": {"enum": [[[1, 2]]]}}}, {"x": [ARRAY]}),
        ({"properties": {"x": {"anyOf": [{"type": "array"}, {"type": "string"}]}}}, {"x": BLOB}),
        ({"anyOf": [{"properties": {"x": {"type": "array"}}}, {"required": ["y"]}]}, {"x": BLOB}),
        ({"oneOf": [{"properties": {"x": {"maxItems": 1}}}, LARGE_LIST]}, {"x": ARRAY}),
        ({"oneOf": [{"properties": {"x": {"type": "object"}}}, {"required": ["x"]}]}, {"x": ARRAY}),
        ({"not": {"properties": {"x": {"type": "object"}}}}, {"x": BLOB}),
        ({"if": {"properties": {"x": {"minItems": 5}}}, "then": {"required": ["y"]}}, {"x": ARRAY}),
        ({"if": LARGE_LIST, "else": {"properties": {"y": {"type": "string"}}}}, {"x": ARRAY, "y": 1}),
        (
            {"anyOf": [LARGE_LIST | {"required": ["y"]}, True], "unevaluatedProperties": {"type": "string"}},
            {"x": "a", "y": [ARRAY]},
        ),
    ],
)
async def test_what_depends_on_the_content_of_a_blob_or_large_array_is_no_violation(checker, schema, inputs):
    answer = await checker.check_inputs("alice", json.dumps(schema), json.dumps(inputs))
    assert answer["violations"] == []


@pytest.mark.parametrize(
    ("schema", "inputs", "place"),
    [
        ({"required": ["x", "y"]}, {"x": BLOB}, "/y"),
        ({"properties": {"x": True}, "additionalProperties": False}, {"x": BLOB, "y": 1}, "/y"),
        ({"properties": {"x": LARGE_LIST, "y": {"type": "string"}}}, {"x": BLOB, "y": 1}, "/y"),
        ({"properties": {"x": {"items": {"type": "string"}}}}, {"x": [BLOB, 1]}, "/x/1"),
        ({"properties": {"x": {"maxItems": 1}}}, {"x": [BLOB, BLOB]}, "/x"),
        ({"properties": {"x": {"type": "string"}}}, {"x": [BLOB]}, "/x"),
        ({"properties": {"y": {"anyOf": [{"type": "string"}]}}}, {"x": BLOB, "y": 1}, "/y"),
        # Shown like one, and something else.
        ({"properties": {"x": {"type": "string"}}}, {"x": {"__type__": "bytes"}}, "/x"),
    ],
)
async def test_what_is_certain_beside_a_blob_is_a_violation(checker, schema, inputs, place):
    answer = await checker.check_inputs("alice", json.dumps(schema), json.dumps(inputs))
    assert [pointer for pointer, _ in answer["violations"]] == [place]


async def test_source_that_is_costly_to_parse_is_given_up_and_harms_no_later_check(checker):
    with pytest.raises(TooCostlyError):
        await checker.check_program("account", {"program.py": "[" + "0," * 5_000_000 + "]"}, {})
    assert (await checker.check_program("account", {"program.py": GOOD}, {}))["violations"] == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\n\nif x\n", "line 3: expected ':'"),
        ("return 1", "line 1: 'return' outside function"),
        ("(" * 90, "line 1: '(' was never closed"),
        ("-" * 700_000 + "1", "cannot be parsed"),
        ("\0", "null bytes"),
    ],
)
@pytest.mark.parametrize("name", ["program.py", "helper.py"])
async def test_file_that_does_not_parse_is_named_with_its_line(checker, name, text, sentence):
    answer = await checker.check_program("account", {"program.py": GOOD, name: text}, {})
    (violation,) = answer["violations"]
    assert violation[0] == f"program.source.files.{name}"
    assert sentence in violation[1]
