"""What the tags of a job may be, wherever they are given."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from aerlock_gateway.errors import Violation

_MOST: Final = 16
_LONGEST: Final = 64


def tag_violations(tags: Sequence[str], field: str) -> Iterator[Violation]:
    """Yields what is wrong with tags that a job is to get, which were given in ``field``."""
    if wrong := list(searched_tag_violations(tags, field)):
        yield from wrong
    elif control := next(((tag, one) for tag in tags for one in tag if _is_control(one)), None):
        tag, character = control
        yield Violation(field, f"has U+{ord(character):04X} in {tag!r}: leave control characters out")


def searched_tag_violations(tags: Sequence[str], field: str) -> Iterator[Violation]:
    """Yields what is wrong with tags that jobs are searched by: older ones may hold control characters."""
    if len(tags) > _MOST:
        yield Violation(field, f"are {len(tags)}; at most {_MOST} are allowed")
    elif not all(0 < len(tag) <= _LONGEST for tag in tags):
        yield Violation(field, f"must have 1 to {_LONGEST} characters each")


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"
