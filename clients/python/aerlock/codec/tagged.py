"""How a richer type travels: as a tag around a plainer object.

The types themselves are in `aerlock.codec.types`, the table of them in
`aerlock.codec.registry`.
"""

# ruff: noqa: ANN401  (an object of any type may come)

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aerlock.codec.bounds import MAX_DIMENSIONS

_LONGEST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value of a type that this version does not know: its tag, and the plainer value inside."""

    type: str
    value: Any


@dataclass(frozen=True, slots=True)
class TaggedType:
    """How one type travels.

    ``classes`` are the paths of the exact classes, so that none is imported
    before a value needs it. ``to_plain`` gives an object that the codec carries
    already; TypeError and ValueError say what is wrong with the one that it got.
    ``from_plain`` gets it back from a stranger: whatever it raises becomes a
    ValueError. With ``in_document`` it gets the document's memory as well, a
    dict that lives as long as one document is decoded. ``since`` is the codec
    version that brought the type.
    """

    tag: str
    classes: tuple[str, ...]
    to_plain: Callable[[Any], object]
    from_plain: Callable[..., object]
    since: int = 1
    in_document: bool = False


def require(kind: type, plain: Any) -> Any:
    """``plain``, if it is of exactly this type; raises TypeError otherwise."""
    if type(plain) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {type(plain).__name__}")
    return plain


def require_keys(plain: Any, *keys: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """``plain``, if it is a map with these keys; raises TypeError and ValueError otherwise."""
    if missing := set(keys) - require(dict, plain).keys():
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    if unknown := plain.keys() - set(keys) - set(optional):
        raise ValueError(f"it has no {min(unknown)!r}")
    return plain  # type: ignore[no-any-return]


def require_array(plain: Any, kinds: str, dimensions: int | None = None) -> Any:
    """``plain``, if it is an array of numbers of one of the kinds ("biufc", as numpy names them).

    Where ``dimensions`` is given, it has as many. Raises TypeError otherwise.
    What makes a matrix of whatever can be made one gets nothing else.
    """
    import numpy as np

    if type(plain) is not np.ndarray or plain.dtype.kind not in kinds:
        raise TypeError(f"expected an array of numbers, got {type(plain).__name__}")
    if dimensions is not None and plain.ndim != dimensions:
        raise ValueError(f"expected {dimensions} dimensions, got {plain.ndim}")
    return plain


def require_shape(plain: Any) -> tuple[int, ...]:
    """``plain``, if it is a list of lengths as arrays have; raises TypeError and ValueError otherwise."""
    shape = tuple(require(int, length) for length in require(list, plain))
    if len(shape) > MAX_DIMENSIONS or min(shape, default=0) < 0 or max(shape, default=0) > _LONGEST:
        raise ValueError(f"the shape {list(shape)[:8]} cannot be")
    return shape


def path_of(cls: type) -> str:
    """The full name of a class, by which the registry knows it."""
    return f"{cls.__module__}.{cls.__qualname__}"
