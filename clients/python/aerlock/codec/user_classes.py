"""Classes of a program's own: registered ones come back as themselves, others as plain values or not."""

# ruff: noqa: ANN401  (an object of any type may come)

import dataclasses
import enum
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from aerlock.codec.registry import BY_TAG, TAGGED_TYPES
from aerlock.codec.tagged import TaggedType, path_of, require, require_keys

_Class = TypeVar("_Class", bound=type)

REGISTERED: Final[dict[type, TaggedType]] = {}
"""By the class itself: the names of two classes may be the same."""
_BUILT_IN: Final = frozenset(tagged.tag.partition(".")[0] for tagged in TAGGED_TYPES)
_watchers: list[Callable[[type], None]] = []


def register(
    cls: _Class,
    tag: str,
    to_plain: Callable[[Any], object] | None = None,
    from_plain: Callable[[Any], object] | None = None,
) -> _Class:
    """Lets objects of exactly this class travel, and come back as themselves; returns the class.

    Call it on both sides, in the client and in the program, with the same
    ``tag``, such as "mylab.Ansatz"; who does not know the tag gets a
    `aerlock.codec.Tagged` with the plain value. ``to_plain`` makes of an object
    anything that can be sent, ``from_plain`` makes the object of that again. It
    gets whatever a stranger put there, so it checks what it uses, and raises
    ValueError or TypeError.

    Without the two functions a dataclass and a named tuple travel as their
    fields, a member of an enum as its name, and an object that has ``settings``
    as those, to be made again by ``cls(**settings)``. Raises TypeError for
    another class, and ValueError for a tag that is taken or has no dot.
    """
    if (to_plain is None) != (from_plain is None):
        raise TypeError("to_plain and from_plain belong together")
    prefix, dot, _ = tag.partition(".")
    if not prefix or not dot or prefix in _BUILT_IN:
        raise ValueError(f"the tag {tag!r} must be yours: start it with a name of your own and a dot")
    known = next((each for each, tagged in REGISTERED.items() if tagged.tag == tag), None)
    # A class that is defined again, as in a notebook, takes the place of the one before.
    if known is not None and path_of(known) != path_of(cls):
        raise ValueError(f"the tag {tag!r} is taken by {path_of(known)}")
    if to_plain is None or from_plain is None:
        to_plain, from_plain = _default_forms(cls)
    if known is not None:
        del REGISTERED[known]
    REGISTERED[cls] = BY_TAG[tag] = TaggedType(tag, (), to_plain, from_plain)
    for forget in _watchers:
        forget(cls)
    return cls


def on_register(forget: Callable[[type], None]) -> None:
    """Has ``forget`` called with each class that is registered, for what is remembered about it."""
    _watchers.append(forget)


def _default_forms(cls: Any) -> tuple[Callable[[Any], object], Callable[[Any], object]]:
    if issubclass(cls, enum.Enum):
        return (lambda member: member.name), (lambda plain: cls[require(str, plain)])
    if dataclasses.is_dataclass(cls):
        return _fields, _constructor(cls)
    if _is_namedtuple(cls):
        return _named_fields, lambda plain: cls(**require_keys(plain, *cls._fields))
    if hasattr(cls, "settings"):
        return (lambda obj: obj.settings), (lambda plain: cls(**require(dict, plain)))
    raise TypeError(f"how {path_of(cls)} becomes plain values is not known: give to_plain and from_plain")


def _constructor(cls: Any) -> Callable[[Any], object]:
    fields = dataclasses.fields(cls)
    if not all(field.init for field in fields):
        raise TypeError(f"{path_of(cls)} has fields that its constructor does not take: give to_plain")
    names = tuple(field.name for field in fields)
    return lambda plain: cls(**require_keys(plain, optional=names))


def plain_form(obj: Any) -> Callable[[Any], object] | None:
    """Tells how an object of an unregistered class becomes a plain value, which it then stays; None if not.

    ``to_json`` and ``settings`` mean what they mean to the original's encoder.
    """
    cls = type(obj)
    if callable(getattr(cls, "to_json", None)):
        return lambda obj: obj.to_json()
    if hasattr(obj, "settings"):
        return lambda obj: obj.settings
    if dataclasses.is_dataclass(cls):
        return _fields
    return _named_fields if _is_namedtuple(cls) else None


def _is_namedtuple(cls: type) -> bool:
    return issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)


def _fields(obj: Any) -> dict[str, Any]:
    return {field.name: getattr(obj, field.name) for field in dataclasses.fields(obj)}


def _named_fields(obj: Any) -> dict[str, Any]:
    return dict(zip(obj._fields, obj, strict=True))


def refusal(obj: object) -> str:
    """Says that an object cannot be sent, and what to do."""
    cls = type(obj)
    what = f"is a {path_of(cls)}"
    if isinstance(obj, enum.Enum):
        return f"{what}, a member of an enum: send x.value, or register the class (aerlock.codec.register)"
    bases = {path_of(base): base.__name__ for base in cls.__mro__[1:]}
    for path, cure in _CURES.items():
        if path in bases:
            return f"{what}, a subclass of {bases[path]}: send {cure}, or register the class"
    if isinstance(obj, bytearray | memoryview):
        return f"{what}, which cannot be sent: send bytes(x)"
    if isinstance(obj, Iterator):
        return f"{what}, which cannot be sent: send list(x)"
    return f"{what}, which cannot be sent: send plain values, or register the class (aerlock.codec.register)"


_CURES: Final = {
    "numpy.ndarray": "numpy.asarray(x)",
    "builtins.int": "int(x)",
    "builtins.float": "float(x)",
    "builtins.complex": "complex(x)",
    "builtins.str": "str(x)",
    "builtins.bytes": "bytes(x)",
    "builtins.list": "list(x)",
    "builtins.tuple": "tuple(x)",
    "builtins.dict": "dict(x)",
    "builtins.set": "set(x)",
    "builtins.frozenset": "frozenset(x)",
    "datetime.datetime": "a plain datetime",
    "datetime.date": "a plain date",
}
"""What makes a plain object of one whose class is derived from these."""
