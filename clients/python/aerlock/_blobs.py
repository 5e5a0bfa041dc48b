"""Values too large for a message, on their way: written before a job starts, read from its results."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import grpc

from aerlock._channel import CALL_TIMEOUT_SECONDS, Connection, to_exception
from aerlock.exceptions import AerlockError
from aerlock.v1 import blobs_pb2
from aerlock.v1.values_pb2 import BlobRef

CHUNK_BYTES: Final = 1 << 20

_REFS_PER_CALL: Final = 1_000
_SLOWEST_BYTES_PER_SECOND: Final = 50_000
# Tries without any progress between them.
_TRIES: Final = 6
_SHORTEST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 2.0
_RETRIED: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        # Someone else of this account writes the same blob, or wrote a part of it meanwhile.
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
    }
)
_TOO_MANY_STREAMS: Final = "TOO_MANY_STREAMS"
_DAMAGED: Final = "BLOB_DIGEST_MISMATCH"


class BlobUploads:
    """The blobs of one request. `send` takes those to the server that it does not have."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._blobs: dict[str, tuple[BlobRef, Sequence[bytes | memoryview]]] = {}

    def put(self, parts: Sequence[bytes | memoryview]) -> BlobRef:
        """See `aerlock.codec.blobs.BlobSink`; what ``parts`` show must not change until `send` returns."""
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
        blob = BlobRef(sha256=digest.hexdigest(), size_bytes=sum(map(len, parts)))
        self._blobs.setdefault(blob.sha256, (blob, parts))
        return blob

    def send(self) -> None:
        """Writes what the server lacks; goes on where an interrupted try ended. Raises `AerlockError`."""
        blobs = [blob for blob, _ in self._blobs.values()]
        for first in range(0, len(blobs), _REFS_PER_CALL):
            for missing in self._find_missing(blobs[first : first + _REFS_PER_CALL]):
                self._write(missing)

    def _find_missing(self, blobs: Sequence[BlobRef]) -> Sequence[blobs_pb2.MissingBlob]:
        request = blobs_pb2.FindMissingBlobsRequest(blobs=blobs)
        return self._connection.call(self._connection.blobs.FindMissingBlobs, request).missing

    def _write(self, missing: blobs_pb2.MissingBlob | None) -> None:
        tries = _Tries()
        while missing is not None:
            blob = missing.blob
            tries.note_progress(missing.written_bytes)
            try:
                self._connection.open_stream(
                    self._connection.blobs.WriteBlob,
                    self._requests(blob, missing.written_bytes),
                    timeout=CALL_TIMEOUT_SECONDS + blob.size_bytes / _SLOWEST_BYTES_PER_SECOND,
                )
            except grpc.RpcError as error:
                self._connection.check_open()
                # What an earlier try left may have been damaged by a power cut; it is discarded then.
                tries.wait_after(error, again=(_DAMAGED,) if missing.written_bytes else ())
            missing = next(iter(self._find_missing([blob])), None)

    def _requests(self, blob: BlobRef, offset: int) -> Iterator[blobs_pb2.WriteBlobRequest]:
        yield blobs_pb2.WriteBlobRequest(blob=blob, offset=offset)
        for part in self._blobs[blob.sha256][1]:
            view = memoryview(part)
            for start in range(min(offset, len(view)), len(view), CHUNK_BYTES):
                yield blobs_pb2.WriteBlobRequest(data=bytes(view[start : start + CHUNK_BYTES]))
            offset -= min(offset, len(view))


class BlobDownloads:
    """Reads blobs of the server; see `aerlock.codec.blobs.BlobSource`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def open(self, blob: BlobRef) -> Iterator["_BlobReader"]:
        """Opens a blob; what was read of it is compared with its digest at the end. Raises `AerlockError`."""
        reader = _BlobReader(self._connection, blob)
        try:
            yield reader
            reader.check_digest()
        finally:
            reader.close()


class _BlobReader:
    """The bytes of one blob; a stream that breaks is taken up again where it ended."""

    def __init__(self, connection: Connection, blob: BlobRef) -> None:
        self._connection = connection
        self._blob = blob
        self._digest = hashlib.sha256()
        self._position = 0
        self._chunk = memoryview(b"")
        self._stream: Any = None
        self._tries = _Tries()

    def readinto(self, buffer: memoryview) -> int:
        """Fills a part of ``buffer`` and returns how much; 0 at the end of the blob."""
        if not self._chunk and self._position < self._blob.size_bytes:
            self._chunk = memoryview(self._next_chunk())
        count = min(len(buffer), len(self._chunk))
        buffer[:count] = self._chunk[:count]
        self._chunk = self._chunk[count:]
        return count

    def check_digest(self) -> None:
        """Raises `AerlockError` where this was not the blob that the reference means."""
        if self._digest.hexdigest() != self._blob.sha256:
            raise AerlockError("a large value came damaged: its SHA-256 is another one. Read it again")

    def close(self) -> None:
        """Ends the stream."""
        if self._stream is not None:
            self._stream.cancel()

    def _next_chunk(self) -> bytes:
        while True:
            try:
                if self._stream is None:
                    request = blobs_pb2.ReadBlobRequest(sha256=self._blob.sha256, offset=self._position)
                    self._stream = self._connection.open_stream(self._connection.blobs.ReadBlob, request)
                data: bytes = next(self._stream).data
            except StopIteration:
                raise AerlockError("a large value ended before its size was reached") from None
            except grpc.RpcError as error:
                self._connection.check_open()
                self._stream = None
                self._tries.wait_after(error)
            else:
                self._position += len(data)
                self._tries.note_progress(self._position)
                self._digest.update(data)
                if data:
                    return data


class _Tries:
    """How often a call may fail before its error is final, and the pauses between."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._progress = 0
        self._count = 0

    def note_progress(self, position: int) -> None:
        """Says how far it has come; whoever comes further starts counting anew."""
        if position > self._progress:
            self._progress, self._count = position, 0

    def wait_after(self, error: grpc.RpcError, again: Sequence[str] = ()) -> None:
        """Pauses, or raises what the error means; reasons in ``again`` are worth another try, too."""
        self._count += 1
        known = to_exception(error)
        passing = cast("grpc.Call", error).code() in _RETRIED or known.reason in (_TOO_MANY_STREAMS, *again)
        if not passing or self._count >= _TRIES:
            raise known from None
        self._sleep(min(_SHORTEST_WAIT * 2 ** (self._count - 1), _LONGEST_WAIT))
