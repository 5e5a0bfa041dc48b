"""Tables for people: what is copied from them stays whole, and other columns are as wide as there is room."""

import json
import sys
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

COPIED: Final = frozenset({"id", "name", "program", "owner", "account", "subject"})
"""Columns of ids and names: a terminal that has no room for them wraps the line."""
WITH_IDS: Final = "detail"
"""A column with ids among other words, which stay whole too."""
_LEAST: Final = 10
_LEAST_OF_LAST: Final = 6


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows under their titles; to what is no terminal each in one line, however long."""
    lines = [titles, *([visible(cell) for cell in row] for row in rows)]
    console = Console(highlight=False, soft_wrap=True)
    columns = list(zip(*lines, strict=True))
    widths = [max(map(cell_len, cells)) for cells in columns]
    gap = 2
    if sys.stdout.isatty() and sum(widths) + gap * (len(widths) - 1) > console.width:
        gap = 1
        leasts = [_least(cells, number == len(columns) - 1) for number, cells in enumerate(columns)]
        _narrow(widths, leasts, console.width - gap * (len(widths) - 1))
    table = Table(
        *(Column(title, width=width) for title, width in zip(titles, widths, strict=True)),
        box=None,
        pad_edge=False,
        padding=(0, gap, 0, 0),
    )
    for line in lines[1:]:
        table.add_row(*(Text(cell, overflow="fold") for cell in line))
    console.width = sum(widths) + gap * (len(widths) - 1)
    console.print(table)


def visible(text: str) -> str:
    """One line of text of anyone's, with what a terminal would obey in place of printing as JSON escapes."""
    return "".join(
        character if character.isprintable() else json.dumps(character)[1:-1] for character in text
    )


def _least(cells: Sequence[str], is_last: bool) -> int:
    """How narrow a column may become: with whole cells, or with whole words as far as they are short."""
    if cells[0] in COPIED:
        return max(map(cell_len, cells))
    longest = max(cell_len(word) for cell in cells for word in cell.split())
    if cells[0] == WITH_IDS:
        return longest
    return min(longest, _LEAST_OF_LAST if is_last else _LEAST)


def _narrow(widths: list[int], leasts: Sequence[int], room: int) -> None:
    """Takes from the widest columns until all fit, or none may become narrower."""
    while sum(widths) > room:
        spare = [number for number, width in enumerate(widths) if width > leasts[number]]
        if not spare:
            return
        widths[max(spare, key=widths.__getitem__)] -= 1
