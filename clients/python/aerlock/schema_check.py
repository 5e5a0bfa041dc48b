"""Applies JSON Schemas, of which neither schema nor instance is trusted; needs jsonschema-rs.

Regular expressions take linear time, references lead nowhere outside of the schema, and
what is said of an instance is short and holds none of its text. Whoever applies a schema
bounds the time and memory of its own process besides.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn

import jsonschema_rs

from aerlock.opaque_places import OpaquePlaces

MOST_VIOLATIONS: Final = 20
"""Violations that are named of one instance."""

Violation = tuple[str, str]
"""A JSON pointer and a sentence."""

_REGEX_BYTES: Final = 1 << 20
_LONGEST_SENTENCE: Final = 160
_LONGEST_PATH: Final = 100


def compile_schema(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    """Compiles a schema; raises ValueError that says what is wrong with it."""
    try:
        return jsonschema_rs.validator_for(
            schema,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_REGEX_BYTES, dfa_size_limit=_REGEX_BYTES),
            retriever=_refuse,
            mask="it",  # in place of the instance's text
        )
    except jsonschema_rs.ValidationError as error:
        if error.kind.name == "$ref":
            raise ValueError(f"follows only references within itself: {error.message}") from None
        place = pointer(error.instance_path)
        raise ValueError(f"is not a valid JSON Schema{place and ' at '}{place}: {error.message}") from None


def violations(
    validator: jsonschema_rs.Validator, instance: object, below_root: bool = False
) -> Iterator[Violation]:
    """Yields what is wrong with an instance, at most `MOST_VIOLATIONS`; what it does not show is right.

    With ``below_root`` only what is wrong within its members counts, not which of them there are.
    """
    opaque = OpaquePlaces.of(instance)
    found = (
        violation
        for error in validator.iter_errors(instance)
        if (error.instance_path or not below_root) and not opaque.may_decide(error)
        for violation in _explain(error)
    )
    return itertools.islice(found, MOST_VIOLATIONS)


def pointer(path: Iterable[str | int]) -> str:
    """Returns the JSON pointer of a path, shortened where it is long."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    text = "".join(f"/{part}" for part in parts)
    return text if len(text) <= _LONGEST_PATH else text[: _LONGEST_PATH - 1] + "…"


def shorten(sentence: str) -> str:
    """Returns a sentence that fits into an answer."""
    return sentence if len(sentence) <= _LONGEST_SENTENCE else sentence[: _LONGEST_SENTENCE - 1] + "…"


def _refuse(uri: str, /) -> NoReturn:
    """Fetches nothing: by default the library reads files and asks the network."""
    raise ValueError("refused")


def _explain(error: jsonschema_rs.ValidationError) -> Iterator[Violation]:
    path, kind = error.instance_path, error.kind
    # Name the members that are missing or too many rather than the whole.
    if kind.name == "required" and not path:
        yield pointer([kind.as_dict()["property"]]), "is required"
    elif kind.name == "additionalProperties" and not path:
        for name in kind.as_dict()["unexpected"][:MOST_VIOLATIONS]:
            yield pointer([name]), "is not known"
    else:
        yield pointer(path), shorten(error.message)
