"""Listing programs: filters, orders and pages over the wire."""

import base64
import json

import pytest

from aerlock.v1 import programs_pb2
from aerlock.v1.programs_pb2 import VISIBILITY_PRIVATE, VISIBILITY_PUBLIC

NAMES = ["Bell", "bell two", "ghz", "Ghost", "ising"]


@pytest.fixture(scope="module")
def token_of_full_gateway(make_program):
    """A gateway of its own with a few programs."""
    from contextlib import ExitStack

    from integration.conftest import Gateway, _killed_at_the_end, _layout

    with ExitStack() as stack:
        gateway = Gateway(stack.enter_context(_layout()))
        token = gateway.bootstrap()
        stack.enter_context(_killed_at_the_end(gateway))
        gateway.start()
        with gateway.client(token) as client:
            for number, name in enumerate(NAMES):
                program = make_program(
                    name=name,
                    description=f"Number {number}, 100 % done_so far: É" + ("" if number else " FIRST"),
                    visibility=VISIBILITY_PUBLIC if number % 2 else VISIBILITY_PRIVATE,
                )
                request = programs_pb2.UploadProgramRequest(program=program)
                client.programs.UploadProgram(request, metadata=client.metadata)
            yield client


@pytest.fixture
def names(token_of_full_gateway):
    client = token_of_full_gateway

    def call(size=1000, **fields):
        found, token = [], None
        while token != "":
            request = programs_pb2.ListProgramsRequest(page_size=size, page_token=token or "", **fields)
            page = client.programs.ListPrograms(request, metadata=client.metadata)
            found += [program.name for program in page.programs]
            token = page.next_page_token
        return found

    return call


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name_prefix": "BELL"}, ["Bell", "bell two"]),
        ({"name_prefix": "gh", "order_by": "name desc"}, ["ghz", "Ghost"]),
        ({"name_prefix": "%"}, []),
        ({"owner": ""}, [*sorted(NAMES, key=str.lower), "hello-world"]),
        ({"owner": "admin", "order_by": "update_time"}, NAMES),
        ({"owner": "admin", "order_by": "update_time desc"}, NAMES[::-1]),
        ({"owner": "somebody else"}, []),
        ({"visibility": VISIBILITY_PUBLIC, "owner": "admin", "order_by": "name"}, ["bell two", "Ghost"]),
        ({"visibility": VISIBILITY_PRIVATE, "order_by": "name"}, ["Bell", "ghz", "ising"]),
        ({"text": "first"}, ["Bell"]),
        ({"text": "100 %"}, sorted(NAMES, key=str.lower)),
        ({"text": "e_so far: É"}, sorted(NAMES, key=str.lower)),
        ({"text": "ELL", "order_by": "name"}, ["Bell", "bell two", "hello-world"]),
        ({"text": "number 2", "name_prefix": "gh"}, ["ghz"]),
    ],
)
def test_filter_and_order_give_what_they_say_page_by_page(names, fields, expected, size):
    found = names(size, **fields)
    if "order_by" in fields or "name_prefix" in fields:
        assert found == expected
    else:
        assert sorted(found, key=str.lower) == sorted(expected, key=str.lower)


def test_names_in_order_of_their_letters(names):
    assert names(order_by="name") == ["Bell", "bell two", "Ghost", "ghz", "hello-world", "ising"]


@pytest.mark.parametrize(
    "fields",
    [
        {"order_by": "owner"},
        {"order_by": "name sideways"},
        {"order_by": "name, owner"},
        {"visibility": 7},
        {"text": "x" * 101},
        {"name_prefix": "x" * 101},
        {"owner": "x" * 101},
    ],
)
def test_wrong_filter_or_order_is_refused(token_of_full_gateway, refused, fields):
    client = token_of_full_gateway
    error = refused(client.programs.ListPrograms, programs_pb2.ListProgramsRequest(**fields), client.metadata)
    assert (error.reason, set(error.violations)) == ("INVALID_FIELD", set(fields))


def token_of(content) -> str:
    return base64.urlsafe_b64encode(json.dumps(["programs", content]).encode()).decode()


def test_token_of_another_list_is_refused(token_of_full_gateway, refused):
    client = token_of_full_gateway
    request = programs_pb2.ListProgramsRequest(page_size=1, order_by="name")
    token = client.programs.ListPrograms(request, metadata=client.metadata).next_page_token
    request.order_by = "update_time"
    own = client.programs.ListPrograms(request, metadata=client.metadata).next_page_token
    digest = json.loads(json.loads(base64.urlsafe_b64decode(own))[1])[0]
    forged = [[], ["", {}, ""], [digest, "x", "x"], [digest, 2**64, "x"], [digest, 1, "\ud800"]]
    for page_token in (token, token_of("x"), token_of("[" * 500), *map(token_of, map(json.dumps, forged))):
        request = programs_pb2.ListProgramsRequest(page_token=page_token, order_by="update_time")
        error = refused(client.programs.ListPrograms, request, client.metadata)
        assert set(error.violations) == {"page_token"}
