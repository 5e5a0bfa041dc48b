"""The messenger of a job: publishes interim results on the cell's pipe and keeps the final one."""

import contextlib
import threading
from typing import Any

from aerlock.codec import EncodeOptions
from aerlock.program import UserMessenger, encode_message
from aerlock.v1.values_pb2 import Value
from aerlock_executor.cell.result_checks import ResultChecks
from aerlock_executor.cell.result_pipe import ResultPipe
from aerlock_executor.cell.same_value import are_same
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
    """Writes each interim result as one frame, behind its large values as blobs; any thread may publish."""

    def __init__(self, fd: int, checks: ResultChecks | None = None) -> None:
        super().__init__()
        self._checks = checks or ResultChecks()
        self._pipe = ResultPipe(fd)
        self._options = EncodeOptions(blobs=self._pipe)
        self._lock = threading.Lock()
        self._final: Value | None = None

    def publish(self, message: Any, encoder: Any = None, final: bool = False) -> None:  # noqa: ANN401
        """Publishes an interim result, or with ``final`` keeps it as the job's result.

        Waits while the reader is behind. Raises what
        `aerlock.program.encode_message` raises, and RuntimeError once main has returned.
        """
        if final:
            self.keep_final(message, encoder)
            return
        value = encode_message(message, encoder, self._options)
        self._pipe.write(CellFrame(interim_result=value))
        if warning := self._checks.interim_warning(value):
            with contextlib.suppress(RuntimeError):  # main has returned meanwhile; the result is out
                self._pipe.write(CellFrame(warning=warning))

    def keep_final(self, message: Any, encoder: Any = None) -> None:  # noqa: ANN401
        """Keeps the final result; raises TwoFinalResultsError or InvalidResultError."""
        try:
            value = encode_message(message, encoder, self._options)
        except (TypeError, ValueError) as error:
            raise InvalidResultError(f"The final result cannot be sent: {error}") from error
        # Large values in it are blobs already, and equal ones have equal digests.
        with self._lock:
            if self._final is not None and not are_same(self._final, value):
                raise TwoFinalResultsError
            self._final = value

    def finish(self, returned: Any) -> None:  # noqa: ANN401
        """Ends the job with what main returned; None leaves a result that was published."""
        if returned is not None or self._final is None:
            self.keep_final(returned)
        final = self._final or Value()
        if warning := self._checks.final_warning(final):
            self._pipe.write(CellFrame(warning=warning))
        self.close(CellFrame(final_result=final))

    def close(self, last: CellFrame) -> None:
        """Writes the job's last frame and refuses any other."""
        self._pipe.close(last)
