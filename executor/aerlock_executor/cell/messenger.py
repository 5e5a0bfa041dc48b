"""The messenger of a job: publishes interim results on the cell's pipe and keeps the final one."""

import contextlib
import threading
from typing import Any

from aerlock.program import UserMessenger, encode_message
from aerlock.v1.values_pb2 import Value
from aerlock_executor.cell.frames import write_frame
from aerlock_executor.cell.result_checks import ResultChecks
from aerlock_executor.v1.cell_pb2 import CellFrame


class TwoFinalResultsError(Exception):
    """The program gave two different final results."""

    def __init__(self) -> None:
        super().__init__(
            "The program gave two different final results. "
            "Publish one with final=True, or return one from main."
        )


class InvalidResultError(Exception):
    """A final result cannot be a Value; the text says why."""


class JobMessenger(UserMessenger):
    """Writes each interim result as one frame; any thread may publish."""

    def __init__(self, fd: int, checks: ResultChecks | None = None) -> None:
        super().__init__()
        self._checks = checks or ResultChecks()
        self._fd = fd
        self._lock = threading.Lock()
        self._final: bytes | None = None
        self._closed = False

    def publish(self, message: Any, encoder: Any = None, final: bool = False) -> None:  # noqa: ANN401
        """Publishes an interim result, or with ``final`` keeps it as the job's result.

        Waits while the reader is behind. Raises what
        `aerlock.program.encode_message` raises, and RuntimeError once main has returned.
        """
        if final:
            self.keep_final(message, encoder)
            return
        value = encode_message(message, encoder)
        self._write(CellFrame(interim_result=value))
        if warning := self._checks.interim_warning(value):
            with contextlib.suppress(RuntimeError):  # main has returned meanwhile; the result is out
                self._write(CellFrame(warning=warning))

    def keep_final(self, message: Any, encoder: Any = None) -> None:  # noqa: ANN401
        """Keeps the final result; raises TwoFinalResultsError or InvalidResultError."""
        try:
            value = encode_message(message, encoder)
        except (TypeError, ValueError) as error:
            raise InvalidResultError(f"The final result cannot be sent: {error}") from error
        encoded = value.SerializeToString(deterministic=True)
        with self._lock:
            if self._final not in (None, encoded):
                raise TwoFinalResultsError
            self._final = encoded

    def finish(self, returned: Any) -> None:  # noqa: ANN401
        """Ends the job with what main returned; None leaves a result that was published."""
        if returned is not None or self._final is None:
            self.keep_final(returned)
        final = Value.FromString(self._final or b"")
        if warning := self._checks.final_warning(final):
            self._write(CellFrame(warning=warning))
        self.close(CellFrame(final_result=final))

    def close(self, last: CellFrame) -> None:
        """Writes the job's last frame and refuses any other."""
        with self._lock:
            self._closed = True
            write_frame(self._fd, last.SerializeToString())

    def _write(self, frame: CellFrame) -> None:
        payload = frame.SerializeToString()
        with self._lock:
            if self._closed:
                raise RuntimeError("main has returned; nothing can be published any more")
            write_frame(self._fd, payload)
