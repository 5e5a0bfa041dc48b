"""Warns of callables, which become None as in the original; says where they were, and where the caller is."""

import sys
import warnings
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any, Final

_MOST_NAMED: Final = 5


def warn_of_callables(root: object, name: str, callables: Collection[object]) -> None:
    """Warns that these, which are somewhere in ``root``, were sent as None; ``name`` is what it is called."""
    known = {id(one) for one in callables}
    places = list(islice(_places(root, name, known), _MOST_NAMED)) or [name]
    names = sorted({getattr(one, "__qualname__", type(one).__qualname__) for one in callables})
    what, where = ", ".join(names[:_MOST_NAMED]), ", ".join(places)
    warnings.warn(
        f"{what} is callable and cannot be sent: None takes its place at {where}",
        UserWarning,
        stacklevel=_callers_level(),
    )


def _places(found: Any, path: str, known: Collection[int]) -> Iterator[str]:  # noqa: ANN401
    """Where they are in plain containers; what richer types hold has no path that one could write."""
    if id(found) in known:
        yield path
    elif isinstance(found, list | tuple):
        for position, item in enumerate(found):
            yield from _places(item, f"{path}[{position}]", known)
    elif isinstance(found, dict):
        for key, item in found.items():
            step = f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"
            yield from _places(item, f"{path}{step}", known)


def _callers_level() -> int:
    """How many frames above `warn_of_callables` the code stands that is none of this package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame, level = frame.f_back, level + 1
    return level


_OURS: Final = frozenset({"aerlock", "aerlock_executor"})
