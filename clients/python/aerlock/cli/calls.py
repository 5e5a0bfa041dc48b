"""What the commands share that call a server: the connection, pages, and printing."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from aerlock._channel import Connection
from aerlock.cli.tables import print_table
from aerlock.credentials import resolve_credentials
from aerlock.exceptions import AerlockError

PAGE = 1000
"""Entries that a list asks for at a time."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@contextmanager
def connected() -> Iterator[Connection]:
    """Connects as the client does, and ends the command with one sentence for what goes wrong."""
    try:
        connection = Connection(resolve_credentials())
        try:
            yield connection
        finally:
            connection.close()
    except AerlockError as error:
        fail(error.message)


def fail(sentence: str) -> NoReturn:
    """Ends the command with a sentence."""
    typer.echo(f"aerlock: {sentence}", err=True)
    raise typer.Exit(1)


def pages(method: Callable[..., Any], request: Any, connection: Connection) -> Iterator[Any]:  # noqa: ANN401
    """Yields each page of a list."""
    while True:
        page = connection.call(method, request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def day(time: Timestamp) -> str:
    """The day of a time, in UTC."""
    return time.ToDatetime().date().isoformat()


def print_list(
    titles: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    messages: Iterable[Message],
    as_json: bool,
) -> None:
    """Prints a table for people, or the messages as JSON for programs."""
    if as_json:
        typer.echo(json.dumps([to_dict(message) for message in messages], indent=2))
        return
    print_table(titles, rows)


def to_dict(message: Message) -> dict[str, Any]:
    """A message as JSON has it, with its fields as they are in protos/."""
    return MessageToDict(message, preserving_proto_field_name=True)
