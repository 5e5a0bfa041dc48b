"""Python's own types that a Value has no kind for."""

# ruff: noqa: ANN401  (an object of any type may come)

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

from aerlock.codec.arrays import array_to_numbers, numbers_to_array
from aerlock.codec.hashing import check_hashes
from aerlock.codec.tagged import TaggedType, require, require_keys


def _pairs(mapping: dict[Any, Any]) -> list[list[Any]]:
    return [list(pair) for pair in mapping.items()]


def _dict_of_pairs(pairs: Any) -> dict[Any, Any]:
    keys = [key for key, _ in (require(list, pair) for pair in require(list, pairs))]
    check_hashes(keys)
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key comes twice")
    return mapping


def _set_of(items: Any) -> set[Any]:
    check_hashes(require(list, items))
    found = set(items)
    if len(found) != len(items):
        raise ValueError("an element comes twice")
    return found


def _tuple_of(items: Any) -> tuple[Any, ...]:
    return tuple(require(list, items))


def _dict_of(plain: Any) -> dict[Any, Any]:
    return require(dict, plain)  # type: ignore[no-any-return]


# What a defaultdict may call for a missing key: a name selects one of these and nothing else.
_FACTORIES: Final[dict[str | None, Any]] = {
    factory.__name__: factory for factory in (int, float, complex, str, bool, list, dict, set, tuple)
} | {None: None}


def _defaultdict_to_plain(mapping: defaultdict[Any, Any]) -> dict[str, Any]:
    for name, factory in _FACTORIES.items():
        if factory is mapping.default_factory:
            return {"factory": name, "items": dict(mapping)}
    raise TypeError("its factory is none of Python's own types: send dict(x)")


def _defaultdict_from_plain(plain: Any) -> defaultdict[Any, Any]:
    require_keys(plain, "factory", "items")
    return defaultdict(_FACTORIES[plain["factory"]], _dict_of(plain["items"]))


def _deque_from_plain(plain: Any) -> deque[Any]:
    require_keys(plain, "maxlen", "items")
    items = require(list, plain["items"])
    if plain["maxlen"] is not None and require(int, plain["maxlen"]) < len(items):
        raise ValueError("it holds more than it may")
    return deque(items, plain["maxlen"])


def _range_from_plain(plain: Any) -> range:
    return range(*(require(int, number) for number in _three(plain)))


def _three(plain: Any) -> Iterable[Any]:
    if len(require(list, plain)) != 3:
        raise ValueError("expected three numbers")
    return plain  # type: ignore[no-any-return]


def _fraction_from_plain(plain: Any) -> Fraction:
    numerator, denominator = require(list, plain)
    return Fraction(require(int, numerator), require(int, denominator))


DICT: Final = TaggedType("python.dict", (), _pairs, _dict_of_pairs)
"""A dict with a key that is not a str; dicts of str keys are maps and need no tag."""

LIST: Final = TaggedType("python.list", (), numbers_to_array, array_to_numbers)
"""A long list of numbers; every other list is a list_value and needs no tag."""

TUPLE: Final = TaggedType("python.tuple", ("builtins.tuple",), list, _tuple_of)

TYPES: Final = (
    DICT,
    LIST,
    TUPLE,
    TaggedType("python.set", ("builtins.set",), list, _set_of),
    TaggedType("python.frozenset", ("builtins.frozenset",), list, lambda plain: frozenset(_set_of(plain))),
    TaggedType(
        "python.range", ("builtins.range",), lambda obj: [obj.start, obj.stop, obj.step], _range_from_plain
    ),
    TaggedType(
        "python.OrderedDict", ("collections.OrderedDict",), dict, lambda plain: OrderedDict(_dict_of(plain))
    ),
    TaggedType("python.Counter", ("collections.Counter",), dict, lambda plain: Counter(_dict_of(plain))),
    TaggedType(
        "python.defaultdict", ("collections.defaultdict",), _defaultdict_to_plain, _defaultdict_from_plain
    ),
    TaggedType(
        "python.deque",
        ("collections.deque",),
        lambda obj: {"maxlen": obj.maxlen, "items": list(obj)},
        _deque_from_plain,
    ),
    TaggedType("python.Decimal", ("decimal.Decimal",), str, lambda plain: Decimal(require(str, plain))),
    TaggedType(
        "python.Fraction",
        ("fractions.Fraction",),
        lambda obj: [obj.numerator, obj.denominator],
        _fraction_from_plain,
    ),
    TaggedType("python.UUID", ("uuid.UUID",), str, lambda plain: UUID(require(str, plain))),
)
