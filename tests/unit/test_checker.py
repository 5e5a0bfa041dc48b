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
