"""What a program works with: the backend it runs circuits on and the messenger it publishes through.

Qiskit is imported when `ProgramBackend` is asked for.
"""

from typing import TYPE_CHECKING

from aerlock.codec.runtime_json import RuntimeDecoder, RuntimeEncoder
from aerlock.program.messenger import UserMessenger, encode_message

if TYPE_CHECKING:
    from aerlock.program.backend import ProgramBackend

__all__ = ["ProgramBackend", "RuntimeDecoder", "RuntimeEncoder", "UserMessenger", "encode_message"]


def __getattr__(name: str) -> object:
    if name == "ProgramBackend":
        from aerlock.program.backend import ProgramBackend

        return ProgramBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
