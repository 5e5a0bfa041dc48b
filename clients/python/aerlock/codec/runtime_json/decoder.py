"""Tagged JSON to Python objects, whoever wrote it: in bounded time, without imports by name or pickle."""

# ruff: noqa: ANN401  (an object of any type may come)

import json
import re
from typing import Any, Final

from aerlock.codec.bounds import MAX_BIG_INT_CHARACTERS
from aerlock.codec.panics import is_failure
from aerlock.codec.runtime_json.document import open_document
from aerlock.codec.runtime_json.registry import MAX_DEPTH, READERS, is_tagged

# A string, which may be cut short, or a bracket.
_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)


class RuntimeDecoder(json.JSONDecoder):
    """Reads what `RuntimeEncoder` wrote, or the original's: ``json.loads(text, cls=RuntimeDecoder)``.

    A tagged object of a type that is not known stays the dict that it is, and so
    does one of ``settings`` of a class that is not. Raises ValueError for
    anything that is not sound, of which `json.JSONDecodeError` for text that is
    no JSON, and ImportError that names the package to install where that is
    missing.

    To read a tag of your own, extend `object_hook` in a subclass.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault("parse_int", _read_int)
        super().__init__(object_hook=self.object_hook, object_pairs_hook=self._read_object, **options)

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        """Decodes the document that starts at ``idx`` and says where it ends."""
        _check_depth(s)
        with open_document():
            return super().raw_decode(s, idx)

    def object_hook(self, found: dict[str, Any]) -> Any:
        """Gives what one JSON object stands for."""
        if not is_tagged(found):
            return found
        tag = found["__type__"]
        try:
            return READERS[tag](found)
        except ImportError as error:
            package = (error.name or "").partition(".")[0].replace("_", "-")
            raise ImportError(
                f"a value of type {tag} needs {package} to be read: pip install {package}"
            ) from error
        except MemoryError:
            raise
        except BaseException as error:
            if not is_failure(error):
                raise
            raise ValueError(f"a value of type {tag} is malformed: {error}") from error

    def _read_object(self, pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError(f"an object has a key twice: {_first_double(pairs)[:40]!r}")
        return self.object_hook(found)


def _first_double(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    return next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]


def _read_int(digits: str) -> int:
    if len(digits) > MAX_BIG_INT_CHARACTERS:
        raise ValueError(f"an integer has more than {MAX_BIG_INT_CHARACTERS:,} digits")
    return int(digits)


def _check_depth(text: str) -> None:
    """Refuses what nests too deep before the parser does, whose own bound is the interpreter's stack."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    level = 0
    for token in _TOKEN.finditer(text):
        level += (token[0] in "[{") - (token[0] in "]}")
        if level > MAX_DEPTH:
            raise ValueError(f"the document nests deeper than {MAX_DEPTH} levels")
