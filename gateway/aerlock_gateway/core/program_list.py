"""Listing programs: those that the caller sees, filtered, in order, in pages that clients take."""

import hashlib
import json
import sqlite3
from dataclasses import replace
from typing import Final

from aerlock.v1.programs_pb2 import (
    VISIBILITY_PRIVATE,
    VISIBILITY_PUBLIC,
    VISIBILITY_UNSPECIFIED,
    ListProgramsRequest,
    Program,
)
from aerlock_gateway.core import paging
from aerlock_gateway.core.access import Account, Action, Relation, allowed
from aerlock_gateway.core.program_messages import to_message
from aerlock_gateway.errors import InvalidArgumentError, Violation
from aerlock_gateway.store import program_lists, programs
from aerlock_gateway.store.catalog_tables import ORDERS
from aerlock_gateway.store.program_lists import Key, Listing

_METHOD: Final = "programs"
_LONGEST_TEXT: Final = 100
# A filter that takes little must not make one page read everything: the page ends early instead.
_MOST_SCANNED: Final = 2_000


def read_listing(caller: Account, request: ListProgramsRequest) -> Listing:
    """Returns what a request asks for; raises `InvalidArgumentError`."""
    violations = []
    order, _, direction = request.order_by.strip().partition(" ")
    if request.order_by and (order not in ORDERS or direction.strip() not in ("", "asc", "desc")):
        violations.append(
            Violation("order_by", f'must be one of {", ".join(ORDERS)}, with " desc" for descending order')
        )
    for field in ("name_prefix", "owner", "text"):
        if len(getattr(request, field)) > _LONGEST_TEXT:
            violations.append(Violation(field, f"must have at most {_LONGEST_TEXT} characters"))
    if request.visibility not in (VISIBILITY_UNSPECIFIED, VISIBILITY_PRIVATE, VISIBILITY_PUBLIC):
        violations.append(Violation("visibility", "must be VISIBILITY_PRIVATE or VISIBILITY_PUBLIC"))
    if violations:
        raise InvalidArgumentError.of(violations)
    listing = Listing(
        account=caller.name,
        sees_all=allowed(Action.SEE_PROGRAM, caller.role, Relation.NONE),
        order=order or ("name" if request.name_prefix else "program_id"),
        descending=direction.strip() == "desc",
        name_prefix=request.name_prefix,
        owner=request.owner,
        visibility=request.visibility,
        text=request.text,
    )
    return replace(listing, after=_read_token(listing, request.page_token))


def read_page(connection: sqlite3.Connection, listing: Listing, size: int) -> tuple[list[Program], str]:
    """Returns a page and the token of the next: at most ``size`` programs and its largest size."""
    page: list[Program] = []
    last, room = listing.after, programs.LARGEST_PAGE
    for scanned, (key, program_id, matches) in enumerate(program_lists.scan(connection, listing)):
        row = programs.find(connection, program_id) if matches else None
        if row:
            room -= len(row.metadata)
        if len(page) == size or scanned == _MOST_SCANNED or (page and room < 0):
            return page, _make_token(listing, last)
        if row:
            page.append(to_message(row))
        last = (key, program_id)
    return page, ""


def _make_token(listing: Listing, last: tuple[Key, str] | None) -> str:
    return paging.make_token(_METHOD, json.dumps([_digest(listing), *(last or ())]))


def _read_token(listing: Listing, token: str) -> tuple[Key, str] | None:
    text = paging.read_token(_METHOD, token, "")
    if not text:
        return None
    try:
        digest, key, program_id = json.loads(text)
        f"{key}{program_id}".encode()  # half a surrogate pair is no key
    except (ValueError, TypeError, RecursionError):
        digest, key, program_id = None, None, None
    if digest != _digest(listing) or not _is_key(listing, key):
        raise InvalidArgumentError.of(
            [Violation("page_token", "did not come from a list with this filter and order; start it anew")]
        )
    return key, str(program_id)


def _is_key(listing: Listing, key: object) -> bool:
    if listing.order == "update_time":
        return type(key) is int and abs(key) < 2**63
    return isinstance(key, str)


def _digest(listing: Listing) -> str:
    """Returns a word for all that the pages of one list have in common."""
    whole = replace(listing, after=None)
    return hashlib.sha256(repr(whole).encode(errors="replace")).hexdigest()[:16]
