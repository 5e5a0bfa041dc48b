"""Page sizes and page tokens (AIP-158)."""

import base64
import binascii
import json
from typing import TypeVar

from aerlock_gateway.errors import InvalidArgumentError, Violation

K = TypeVar("K", int, str)

_DEFAULT_SIZE = 50
_LARGEST_SIZE = 1000
_LONGEST_TOKEN = 1024


def page_size(requested: int) -> int:
    """Returns how many entries a page may have; raises `InvalidArgumentError` below zero."""
    if requested < 0:
        raise InvalidArgumentError.of([Violation("page_size", "must not be negative; 0 means 50")])
    return min(requested, _LARGEST_SIZE) or _DEFAULT_SIZE


def make_token(method: str, key: int | str) -> str:
    """Returns the token that makes ``method`` continue after the entry with this key."""
    return base64.urlsafe_b64encode(json.dumps([method, key]).encode()).decode()


def read_token(method: str, token: str, start: K) -> K:
    """Returns the key in a token of ``method``, or ``start`` for no token; raises `InvalidArgumentError`."""
    if not token:
        return start
    try:
        if len(token) > _LONGEST_TOKEN:
            raise ValueError
        made_by, key = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        str(key).encode()  # half a surrogate pair is no key
    except (ValueError, TypeError, RecursionError, binascii.Error):
        made_by, key = None, None
    if made_by != method or type(key) is not type(start) or (isinstance(key, int) and abs(key) >= 2**63):
        raise InvalidArgumentError.of(
            [
                Violation(
                    "page_token", "did not come from this method; pass next_page_token of the page before"
                )
            ]
        )
    return key
