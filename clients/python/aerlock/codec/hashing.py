"""A guard for sets and dicts whose elements come from elsewhere."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

MAX_SAME_HASH: Final = 1_000
"""How many elements of one set or dict may share a hash."""


def check_hashes(items: Iterable[object]) -> None:
    """Refuses elements of which a set would take quadratic time.

    Python's hashes of numbers and tuples are no secret: twenty thousand integers
    of one hash keep a processor busy for ten seconds. Raises ValueError, and
    TypeError for an element without a hash.
    """
    counts = Counter(map(hash, items))
    if max(counts.values(), default=0) > MAX_SAME_HASH:
        raise ValueError(f"more than {MAX_SAME_HASH:,} elements share one hash: send a list")
