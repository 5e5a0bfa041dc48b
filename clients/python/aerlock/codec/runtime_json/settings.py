"""Qiskit's operators and states by their settings: the classes that come back as themselves.

The original imports whatever class the JSON names. Here the name only selects a
line of `_CLASSES`, and what a class gets is checked, since many of them make
matrices of anything that can be made one.
"""

# ruff: noqa: ANN401  (an object of any type may come)

import copy
from collections.abc import Callable
from typing import Any, Final

from aerlock.codec.runtime_json.python_types import Tagged, require, tagged

_INT_KEYS: Final = "__int_keys__"


def write_settings(obj: Any) -> Tagged:
    """Writes the class and the settings of ``obj``."""
    cls = type(obj)
    settings = _flag_int_keys(copy.deepcopy(obj.settings))
    return tagged("settings", settings, module=cls.__module__, **{"class": cls.__name__})


def read_settings(found: Tagged) -> Any:
    """Makes the object of a known class; one of another class stays the JSON object that it is."""
    name = found.get("__class__")
    build = _CLASSES.get(name) if isinstance(name, str) else None
    module = found.get("__module__")
    if build is None or not isinstance(module, str) or not module.startswith("qiskit.quantum_info."):
        return found
    return build(name, require(dict, found["__value__"]))


def _flag_int_keys(settings: Any) -> Any:
    """Marks the dicts in which keys were integers, which JSON makes strings."""
    if not isinstance(settings, dict):
        return settings
    flagged = {key: _flag_int_keys(item) for key, item in settings.items()}
    return flagged | {_INT_KEYS: True} if any(isinstance(key, int) for key in settings) else flagged


def _matrix(name: str, settings: dict[str, Any]) -> Any:
    """Of one matrix or vector, and dimensions."""
    from qiskit import quantum_info

    data, *dimensions = _take(settings, "data", *_DIMENSIONS.get(name, ("input_dims", "output_dims")))
    named = zip(_DIMENSIONS.get(name, ("input_dims", "output_dims")), dimensions, strict=True)
    return getattr(quantum_info, name)(_numeric(data), **{key: _tuple(item) for key, item in named})
