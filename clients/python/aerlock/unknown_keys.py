"""What is said of a key that there is not: which one was meant, or where it belongs, and those there are."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

_LONGEST: Final = 64


def cure_of(key: object, known: Iterable[str], cures: Mapping[str, str]) -> str:
    """The end of a sentence about an unknown ``key``, for people.

    ``cures`` says of keys that a near name would not lead to what to do with them.
    """
    names = list(known)
    every = ", ".join(names)
    if not isinstance(key, str) or len(key) > _LONGEST:
        return f"there are {every}"
    near = get_close_matches(key.lower(), names, n=1)
    cure = cures.get(key.lower()) or (f"did you mean {near[0]}?" if near else "")
    return f"{cure} There are {every}" if cure else f"there are {every}"
