"""Which violations of a schema are certain although the content of some values is not known.

Blobs and large arrays are in the JSON view, but not what they would be as lists
and maps. A schema that looks into them finds something else than the program
will get, and so may wrongly find fault: with them, with what holds them (no
branch of an ``anyOf`` fits), or elsewhere (an ``if`` took the other branch).
What could be such a fault does not count; a good input is never refused.
"""

from collections.abc import Iterator
from typing import Any, Final, Self

import jsonschema_rs

from aerlock.jsonview import is_opaque

Path = tuple[str | int, ...]

# Keywords that look at which items or properties there are, and not into them.
_SHALLOW: Final = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "falseSchema",
        "maxItems",
        "maxProperties",
        "minItems",
        "minProperties",
        "propertyNames",
        "required",
        "type",
    }
)
# Whether the schemas below these keywords apply may depend on any value.
_CONDITIONAL: Final = frozenset({"then", "else", "unevaluatedItems", "unevaluatedProperties"})


class OpaquePlaces:
    """Where in the JSON view of some inputs the values are that nothing is known of."""

    def __init__(self, places: set[Path]) -> None:
        self._places = places
        self._above = {place[:length] for place in places for length in range(len(place))}

    @classmethod
    def of(cls, view: object) -> Self:
        """Finds the places in a JSON view."""
        return cls(set(_find(view)))

    def __bool__(self) -> bool:
        return bool(self._places)

    def may_decide(self, error: jsonschema_rs.ValidationError) -> bool:
        """Returns whether the violation may come from how an opaque value is shown."""
        if not self._places:
            return False
        place = tuple(error.instance_path)
        if any(place[:length] in self._places for length in range(len(place) + 1)):
            return True
        if not _CONDITIONAL.isdisjoint(error.evaluation_path):
            return True
        return place in self._above and error.kind.name not in _SHALLOW


def _find(root: object) -> Iterator[Path]:
    pending: list[tuple[Path, Any]] = [((), root)] if isinstance(root, dict | list) else []
    while pending:
        place, view = pending.pop()
        if is_opaque(view):
            yield place
            continue
        items = view.items() if isinstance(view, dict) else enumerate(view)
        pending += [((*place, key), item) for key, item in items if isinstance(item, dict | list)]
