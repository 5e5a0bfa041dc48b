"""Blobs in memory: where an encoder leaves them and a decoder finds them."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from aerlock.v1.values_pb2 import BlobRef


class BlobMemory:
    """Keeps each blob once, under its digest, and counts what is asked of it."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.puts = 0
        self.opened: list[str] = []

    def put(self, parts: Sequence[bytes | memoryview]) -> BlobRef:
        content = b"".join(parts)
        digest = hashlib.sha256(content).hexdigest()
        self.contents[digest] = content
        self.puts += 1
        return BlobRef(sha256=digest, size_bytes=len(content))

    @contextmanager
    def open(self, blob: BlobRef) -> Iterator[Any]:
        self.opened.append(blob.sha256)
        yield io.BytesIO(self.contents[blob.sha256])
