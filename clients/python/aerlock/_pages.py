"""Slices of lists that a server gives in pages."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from aerlock.exceptions import InputValueError

LARGEST_PAGE: Final = 1_000

Item = TypeVar("Item")
Page = Callable[[int, str], tuple[Iterable[Item], str]]


def sliced(page: Page[Item], limit: int | None, skip: int | None = 0) -> Iterator[Item]:
    """Items from ``skip`` on, at most ``limit``, over as many pages as that takes.

    ``page`` takes a size and a page token and returns items and the next token.
    Raises `InputValueError` where a number is negative.
    """
    skip = skip or 0
    if skip < 0 or (limit is not None and limit < 0):
        raise InputValueError("limit and skip must not be negative")
    if limit == 0:
        return iter(())
    size = LARGEST_PAGE if limit is None else min(LARGEST_PAGE, limit + skip)

    def items() -> Iterator[Item]:
        token = ""
        while True:
            found, token = page(size, token)
            yield from found
            if not token:
                return

    return itertools.islice(items(), skip, None if limit is None else skip + limit)
