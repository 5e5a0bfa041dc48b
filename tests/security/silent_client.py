"""A client of HTTP/2 that makes calls and takes nothing of their answers but that there are some."""

import socket
import struct
from typing import Self

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING = 0, 1, 4, 6
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_INITIAL_WINDOW_SIZE = 4
_HEADER_BYTES = 9


class SilentClient:
    """One connection to a unix socket, whose streams have room for no byte of a message."""

    def __init__(self, path: str, token: str) -> None:
        self._token = token
        self._next_stream = 1
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(path)
        self._stream = self._socket.makefile("rb")
        self._socket.sendall(_PREFACE)
        self._send(_SETTINGS, 0, 0, struct.pack(">HI", _INITIAL_WINDOW_SIZE, 0))

    def call(self, method: str, request: bytes) -> None:
        """Begins a call with its one message."""
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": method,
            ":authority": "localhost",
            "te": "trailers",
            "content-type": "application/grpc",
            "authorization": f"Bearer {self._token}",
        }
        headers = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())
        self._send(_HEADERS, _END_HEADERS, self._next_stream, headers)
        message = b"\0" + struct.pack(">I", len(request)) + request
        self._send(_DATA, _END_STREAM, self._next_stream, message)
        self._next_stream += 2

    def count_refused(self, calls: int) -> int:
        """Waits until so many calls have an answer; returns how many ended without a message."""
        refused = 0
        while calls:
            kind, flags, payload = self._receive()
            if kind in (_SETTINGS, _PING) and not flags & _ACK:
                self._send(kind, _ACK, 0, payload if kind == _PING else b"")
            elif kind == _HEADERS:
                calls -= 1
                refused += flags & _END_STREAM
        return refused

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._socket.close()

    def _send(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        head = struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream)
        self._socket.sendall(head + payload)

    def _receive(self) -> tuple[int, int, bytes]:
        head = self._stream.read(_HEADER_BYTES)
        return head[3], head[4], self._stream.read(int.from_bytes(head[:3]))


def _text(text: str) -> bytes:
    """A literal of HPACK, of less than 127 bytes."""
    return bytes((len(text),)) + text.encode()
