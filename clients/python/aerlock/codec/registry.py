"""The table of the richer types, by tag and by class."""

from typing import Final

from aerlock.codec.tagged import TaggedType
from aerlock.codec.types import (
    circuits,
    coupling,
    noise,
    numpy,
    operators,
    parameters,
    paulis,
    primitives,
    python,
    results,
    scipy,
    times,
)

TAGGED_TYPES: Final = (
    *python.TYPES,
    *times.TYPES,
    *numpy.TYPES,
    *scipy.TYPES,
    *parameters.TYPES,
    *circuits.TYPES,
    *paulis.TYPES,
    *operators.TYPES,
    *results.TYPES,
    *primitives.TYPES,
    *noise.TYPES,
    *coupling.TYPES,
)

BY_TAG: Final[dict[str, TaggedType]] = {tagged.tag: tagged for tagged in TAGGED_TYPES}
BY_CLASS: Final[dict[str, TaggedType]] = {path: tagged for tagged in TAGGED_TYPES for path in tagged.classes}
"""By the path of the class."""
