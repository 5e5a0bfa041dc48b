"""The version of the codec, by which client and server find out whether they understand each other."""

from typing import Final

OLDEST_CODEC_VERSION: Final = 1
"""What every reader has at least."""

CODEC_VERSION: Final = 1
"""Raised when a tagged type joins the registry that an older reader would not turn back into its class."""
