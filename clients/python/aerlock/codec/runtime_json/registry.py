"""The types that tagged JSON carries, and how to find the one of an object."""

from collections.abc import Callable
from typing import Any, Final

from aerlock.codec.runtime_json import python_types, qiskit_types

MAX_DEPTH: Final = 200
"""How deep arrays and objects of a document may nest."""

READERS: Final = python_types.READERS | qiskit_types.READERS
"""By tag: what a tagged object stands for."""

_WRITERS: Final = python_types.WRITERS | qiskit_types.WRITERS


def writer_of(cls: type) -> Callable[[Any], Any] | None:
    """What writes objects of this class or of a base of it, found by name: nothing is imported for it."""
    for base in cls.__mro__:
        # Qiskit has classes without a module.
        package = str(base.__module__).partition(".")[0]
        if writer := _WRITERS.get(f"{package}.{base.__name__}"):
            return writer
    return None


def is_tagged(found: dict[Any, Any]) -> bool:
    """Whether a reader would take this dict for a tagged object."""
    tag = found.get("__type__")
    return isinstance(tag, str) and tag in READERS and "__value__" in found
