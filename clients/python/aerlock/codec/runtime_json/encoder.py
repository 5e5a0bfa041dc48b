"""Python objects to tagged JSON."""

# ruff: noqa: ANN401  (an object of any type may come)

import json
import types
from collections.abc import Iterator
from typing import Any, Final

from aerlock.codec.runtime_json.python_types import tagged, write_codec_value
from aerlock.codec.runtime_json.registry import MAX_DEPTH, is_tagged, writer_of
from aerlock.codec.runtime_json.settings import write_settings
from aerlock.codec.user_classes import REGISTERED

_SCALARS: Final = (str, int, float, types.NoneType)


class RuntimeEncoder(json.JSONEncoder):
    """Writes what JSON lacks as ``{"__type__": T, "__value__": V}``: ``json.dumps(x, cls=RuntimeEncoder)``.

    Keys of dicts become strings, and tuples lists, as in all JSON. A dict that
    `RuntimeDecoder` would take for a tagged object is written as one of type
    ``dict``. A callable becomes null, with a warning. Raises TypeError for an
    object that cannot be carried, and ValueError where it nests too deep,
    contains itself, or has two keys that are the same in JSON.

    To carry a class of your own, extend `default` in a subclass; a dict that it
    returns is written as it is.
    """

    def default(self, o: Any) -> Any:
        """Gives the tagged form of an object that is no JSON; objects inside it are left as they are."""
        if type(o) in REGISTERED:
            return write_codec_value(o)
        if hasattr(o, "to_json") and not isinstance(o, type):
            return tagged("to_json", o.to_json())
        if writer := writer_of(type(o)):
            return writer(o)
        if hasattr(o, "settings") and not isinstance(o, type):
            return write_settings(o)
        return write_codec_value(o)

    def iterencode(self, o: Any, _one_shot: bool = False) -> Iterator[str]:
        """Encodes ``o`` piece by piece."""
        try:
            plain = self._plain(o, 1)
        except RecursionError as error:
            raise ValueError("the object nests too deep to be written from here") from error
        return super().iterencode(plain, _one_shot)

    def _plain(self, obj: Any, level: int) -> Any:
        """Makes JSON's own types of ``obj``, whose container stands at ``level``."""
        registered = type(obj) in REGISTERED
        if isinstance(obj, _SCALARS) and not registered:
            return obj
        if level > MAX_DEPTH:
            raise ValueError(f"the object nests deeper than {MAX_DEPTH} levels, or contains itself")
        if isinstance(obj, (list, tuple)) and not registered:
            return [self._plain(item, level + 1) for item in obj]
        if not isinstance(obj, dict) or registered:
            made = self.default(obj)
            return self._plain_dict(made, level) if isinstance(made, dict) else self._plain(made, level + 1)
        if is_tagged(obj):
            return tagged("dict", [[key, self._plain(item, level + 3)] for key, item in obj.items()])
        return self._plain_dict(obj, level)

    def _plain_dict(self, items: dict[Any, Any], level: int) -> dict[Any, Any]:
        if any(type(key) is not str for key in items):
            names = [key if isinstance(key, str) else _key_name(key) for key in items]
            if len(set(names)) != len(names):
                raise ValueError("a dict has two keys that are the same in JSON, such as 1 and '1'")
        return {key: self._plain(item, level + 1) for key, item in items.items()}


def _key_name(key: Any) -> Any:
    # JSON refuses keys of other types by itself, or skips them.
    return json.dumps(key) if isinstance(key, _SCALARS) else key
