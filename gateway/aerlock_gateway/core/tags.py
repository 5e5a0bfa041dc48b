"""What the tags of a job may be, wherever they are given."""

from collections.abc import Iterator, Sequence
from typing import Final

from aerlock_gateway.errors import Violation

_MOST: Final = 16
_LONGEST: Final = 64


def tag_violations(tags: Sequence[str], field: str) -> Iterator[Violation]:
    """Yields what is wrong with tags that were given in ``field``."""
    if len(tags) > _MOST:
        yield Violation(field, f"are {len(tags)}; at most {_MOST} are allowed")
    elif not all(0 < len(tag) <= _LONGEST for tag in tags):
        yield Violation(field, f"must have 1 to {_LONGEST} characters each")
