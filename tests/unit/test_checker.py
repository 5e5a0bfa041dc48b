"""The checker's process: what it finds, and that nothing hostile lasts or harms the next check."""

import json
import time

import pytest

from aerlock_gateway.core.checker import Checker, TooCostlyError

GOOD = "def main(backend, user_messenger, a, b=1, *, c, d=2, **rest): pass"


@pytest.fixture
async def checker():
    checker = Checker()
    yield checker
    await checker.close()


async def test_signature_names_what_main_takes(checker):
    answer = await checker.check_program(GOOD, {})
    assert answer["violations"] == []
    assert answer["signature"] == {
        "parameters": ["a", "b", "c", "d"],
        "required": ["a", "c"],
        "any_name": True,
    }


async def test_last_definition_of_main_counts(checker):
    answer = await checker.check_program("def main(): pass\ndef main(a, b, c): pass", {})
    assert (answer["violations"], answer["signature"]["required"]) == ([], ["c"])


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {str(n): {"anyOf": [{"$ref": f"#/$defs/{n + 1}"}] * 3} for n in range(25)} | {"25": False}}
        | {"$ref": "#/$defs/0"},
        {"properties": {"a": {"pattern": "^(a+)+$"}}},
        {"properties": {"a": {"pattern": "(x{1,1000}){1,1000}"}}},
        {"properties": {"n": {"uniqueItems": True}}},
    ],
)
async def test_hostile_schema_and_instance_end_within_seconds(checker, schema):
    await checker.start()
    inputs = json.dumps({"a": "a" * 50_000 + "!", "n": [[n] for n in range(20_000)]})
    started = time.monotonic()
    try:
        answer = await checker.check_inputs(json.dumps(schema), inputs)
        assert len(json.dumps(answer)) < 8192
    except TooCostlyError:
        pass
    assert time.monotonic() - started < 4
    assert (await checker.check_program(GOOD, {}))["violations"] == []


async def test_violations_are_few_short_and_without_the_inputs_text(checker):
    schema = {"properties": {"n": {"items": {"type": "integer"}}, "s": {"maxLength": 3, "enum": ["abc"]}}}
    inputs = {"n": ["secret"] * 5000, "s": "secret" * 1000}
    answer = await checker.check_inputs(json.dumps(schema), json.dumps(inputs))
    assert len(answer["violations"]) == 20
    assert len(json.dumps(answer)) < 4096
    assert "secret" not in json.dumps(answer)
    assert answer["violations"][0][0] == "/n/0"


async def test_defaults_fill_what_is_unset(checker):
    schema = {"properties": {"a": {"default": [1, {"b": None}]}, "b": {"default": 2}, "c": {"default": None}}}
    answer = await checker.check_inputs(json.dumps(schema), '{"b": 5}')
    assert answer == {"violations": [], "defaults": {"a": [1, {"b": None}]}}


async def test_source_that_is_costly_to_parse_ends_within_seconds(checker):
    await checker.start()
    started = time.monotonic()
    for source in ("[" + "0," * 370_000 + "]", "(" * 90, "x" + "+x" * 300_000, "-" * 700_000 + "1"):
        try:
            answer = await checker.check_program(source, {})
            assert answer["violations"]
        except TooCostlyError:
            pass
    assert time.monotonic() - started < 12
    assert (await checker.check_program(GOOD, {}))["violations"] == []
