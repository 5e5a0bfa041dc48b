"""Objects to and from a server: the codec, with the server's versions and its blobs."""

import threading
from collections.abc import Callable
from typing import Any, Final

from aerlock import codec
from aerlock._blobs import BlobDownloads, BlobUploads
from aerlock._channel import Connection
from aerlock.v1 import server_pb2
from aerlock.v1.values_pb2 import MapValue, Value

# Half of what a server lets one account write at a time.
_SENT_AT_ONCE: Final = 4


class _Options(codec.EncodeOptions):
    """Asks the server for its versions when a value comes for which they matter."""

    def __init__(self, blobs: BlobUploads, find_info: Callable[[], server_pb2.GetServerInfoResponse]) -> None:
        super().__init__(blobs)
        self._find_info = find_info

    @property
    def qpy_version(self) -> int | None:
        return self._find_info().qpy_version or None

    @property
    def codec_version(self) -> int | None:
        return self._find_info().codec_version or None


class Values:
    """Encodes what goes to one server and decodes what comes from it; safe to use from any thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._downloads = BlobDownloads(connection)
        self._sending = threading.BoundedSemaphore(_SENT_AT_ONCE)
        self._info: server_pb2.GetServerInfoResponse | None = None

    def send_inputs(self, inputs: dict[str, Any]) -> MapValue:
        """Encodes inputs in versions that the server reads, and takes what is large in them there.

        Raises TypeError and ValueError that say where in ``inputs`` something
        cannot be sent, and `aerlock.exceptions.AerlockError`.
        """
        uploads = BlobUploads(self._connection)
        encoded = codec.to_map(inputs, "inputs", _Options(uploads, self._server_info))
        with self._sending:
            uploads.send()
        return encoded

    def decode(self, value: Value) -> Any:  # noqa: ANN401
        """Decodes a result; raises as `aerlock.codec.from_value` does, and `AerlockError`."""
        return codec.from_value(value, self._downloads)

    def decode_map(self, entries: MapValue) -> dict[str, Any]:
        """Decodes inputs; raises as `decode` does."""
        return codec.from_map(entries, self._downloads)

    def _server_info(self) -> server_pb2.GetServerInfoResponse:
        if self._info is not None:
            return self._info
        info = self._connection.call(self._connection.server.GetServerInfo, server_pb2.GetServerInfoRequest())
        if info.qpy_version:  # else no executor has connected yet, and the next answer says more
            self._info = info
        return info
