"""What is known while one JSON document is decoded: how much it may still grow, and its parameter vectors."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from qiskit.circuit import ParameterVector

MAX_EXPANDED_BYTES: Final = 1 << 30
"""What all payloads of one document may take together once they are decompressed."""


class Document:
    """The state of one decoding, also of the documents inside it, such as a circuit's metadata."""

    def __init__(self) -> None:
        self.bytes_left = MAX_EXPANDED_BYTES
        self.vectors: dict[UUID, ParameterVector] = {}

    def take(self, size: int) -> None:
        """Takes ``size`` bytes of what is left; raises ValueError where they are too many."""
        if size > self.bytes_left:
            raise ValueError(f"the document expands to more than {MAX_EXPANDED_BYTES:,} bytes")
        self.bytes_left -= size


_current: ContextVar[Document | None] = ContextVar("aerlock_json_document", default=None)


def current_document() -> Document:
    """The document that is being decoded; a new one outside of a decoding."""
    return _current.get() or Document()


@contextmanager
def open_document() -> Iterator[None]:
    """Begins a document, or goes on with the one that is open."""
    token = _current.set(current_document())
    try:
        yield
    finally:
        _current.reset(token)
