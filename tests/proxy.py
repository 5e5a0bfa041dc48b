"""A TCP proxy that loses connections, between a client and a real server."""

import contextlib
import socket
import threading


class Proxy:
    """A TCP proxy in front of the server whose connections a test can cut.

    With ``idle_seconds`` it drops a connection that is silent for so long, as routers do.
    """

    def __init__(self, target: str, idle_seconds: float | None = None, recording: bool = False) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._idle_seconds = idle_seconds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.refusing = False
        self.is_silent = False
        """Loses what comes, and tells nobody."""
        self.refused = threading.Semaphore(0)
        """Released once for each connection that was refused."""
        self.connections = 0
        self.carried = bytearray()
        """What went through it, both ways, where it is recording."""
        self._recording = recording
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Breaks every connection, in the middle of whatever it carries."""
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.refusing:
                    client.close()
                    self.refused.release()
                    continue
                server = socket.create_connection(self._target)
                with self._lock:
                    self.connections += 1
                    self._open |= {client, server}
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        source.settimeout(self._idle_seconds)
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.is_silent:
                    if self._recording:
                        self.carried += data
                    sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._open.discard(end)
        source.close()
