"""What an encoder knows of the reader of its Values, and of the place for large ones."""

from aerlock.codec.blobs import BlobSink


class EncodeOptions:
    """What an encoder may rely on.

    ``blobs`` takes the Values that are too large for a message; without it they
    are refused. ``qpy_version`` and ``codec_version`` are what the reader has,
    where that is known: circuits are written in a version that it reads, and
    what it cannot read is refused. A subclass may find them out when they are
    asked for, which is only where they matter.
    """

    def __init__(
        self,
        blobs: BlobSink | None = None,
        qpy_version: int | None = None,
        codec_version: int | None = None,
    ) -> None:
        self.blobs = blobs
        self._qpy_version = qpy_version
        self._codec_version = codec_version

    @property
    def qpy_version(self) -> int | None:
        """The newest QPY that the reader has; None where that is not known."""
        return self._qpy_version

    @property
    def codec_version(self) -> int | None:
        """The reader's version of the codec; None where that is not known."""
        return self._codec_version
