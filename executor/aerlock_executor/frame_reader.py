"""A cell's frames, made into events: bounded, checked, and never trusted."""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from google.protobuf.message import DecodeError

from aerlock.codec.bounds import ValueBoundsError, check_value
from aerlock.v1.jobs_pb2 import FailureReason, JobFailure, JobWarning
from aerlock.v1.values_pb2 import BlobRef, Value
from aerlock_executor.cell.frames import FrameDecoder, FrameError
from aerlock_executor.event_rate import EventRate
from aerlock_executor.output import READ_BYTES, Fail, drain, now, spool_failure
from aerlock_executor.spool import Spool
from aerlock_executor.task_blobs import MAX_WRITTEN_BLOBS, TaskBlobs
from aerlock_executor.v1.cell_pb2 import CellBlobPart, CellFrame
from aerlock_executor.v1.executor_pb2 import TaskEvent

logger = logging.getLogger(__name__)

# What an event costs beside its value, so that a flood of empty ones is bounded too.
EVENT_OVERHEAD_BYTES = 128
# What a blob costs beside its bytes: a file, a look at it, and the way to the gateway, which comes after the
# program's end. A small one counts as much for the executor's cache and for an account's uploads.
BLOB_OVERHEAD_BYTES = 64 << 10
# A flood of frames takes a few milliseconds of the event loop at a time, and so does no large one.
FRAMES_PER_TURN = 256
LARGE_FRAME_BYTES = 16 << 10
MAX_MESSAGE_CHARACTERS = 4096
MAX_TRACEBACK_CHARACTERS = 32768
# What a cell may say of its results. A program may forge it, and harms its own job by that.
WARNING_CODES = frozenset({"INTERIM_RESULT_MISMATCH", "RETURN_VALUE_MISMATCH"})
MAX_WARNINGS = 20
MAX_WARNING_CHARACTERS = 500


@dataclass
class FrameReader:
    """Reads a cell's frames: interim results go to the spool, blobs to ``blobs``, what ends it is kept.

    ``fail`` is called once, for the first thing that is wrong; from there on
    what the cell writes is read and dropped.
    """

    spool: Spool
    blobs: TaskBlobs
    max_bytes: int
    fail: Fail
    rate: EventRate = field(default_factory=lambda: EventRate(math.inf), repr=False)
    final_result: Value | None = None
    final_blobs: Sequence[BlobRef] = ()
    reported: JobFailure | None = None
    output_bytes: int = 0
    _charged: int = field(default=0, repr=False)
    _warnings: int = field(default=0, repr=False)
    _interim: int = field(default=0, repr=False)
    _running: ClassVar[int] = 0

    @property
    def is_finished(self) -> bool:
        """Whether the last frame has come: main has returned or raised."""
        return self.final_result is not None or self.reported is not None

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Reads to the end of ``stream``."""
        decoder = FrameDecoder()
        FrameReader._running += 1
        try:
            while data := await stream.read(READ_BYTES):
                frames = decoder.feed(data)
                for first in range(0, len(frames), FRAMES_PER_TURN):
                    await self._take(frames[first : first + FRAMES_PER_TURN])
        except FrameError as error:
            self.fail(
                JobFailure(
                    reason=FailureReason.FAILURE_REASON_PROTOCOL_ERROR, message=f"On the job's pipe, {error}."
                )
            )
        except _RefusedError as refused:
            self.fail(refused.failure)
        except OSError as error:
            self.fail(spool_failure(error))
        except Exception:  # whatever it was, a job that nobody reads must not go on
            logger.exception("a job's frames cannot be read")
            reason = FailureReason.FAILURE_REASON_EXECUTOR_LOST
            self.fail(JobFailure(reason=reason, message="The executor failed to read the program's results."))
        finally:
            FrameReader._running -= 1
        await drain(stream)

    async def _take(self, frames: Sequence[bytes]) -> None:
        """Takes in some frames and lets other jobs have their turn; what takes long is done in a thread.

        Beside other jobs, one that floods has half of the executor's time at most, and of those behind it.
        """
        events: list[TaskEvent] = []
        begin = time.monotonic()
        try:
            for frame in frames:
                if len(frame) > LARGE_FRAME_BYTES:
                    event = await asyncio.to_thread(self._event_of, frame)
                else:
                    event = self._event_of(frame)
                if event:
                    events.append(now(event))
                if self.blobs.is_whole:
                    self._append(events)  # what came before the blob does not wait for it
                    await asyncio.to_thread(self._finish_blob)
        finally:
            self._append(events)
        if self._interim:
            self._count_interim(begin)
        await asyncio.sleep(time.monotonic() - begin if FrameReader._running > 1 else 0)

    def _count_interim(self, now: float) -> None:
        count, self._interim = self._interim, 0
        if failure := self.rate.count(count, now):
            raise _RefusedError(failure)

    def _append(self, events: list[TaskEvent]) -> None:
        if events:
            self.spool.append(events)
            events.clear()

    def _event_of(self, payload: bytes) -> TaskEvent | None:
        if self.is_finished:
            raise _RefusedError.of(
                FailureReason.FAILURE_REASON_PROTOCOL_ERROR, "A frame followed the last one."
            )
        try:
            frame = CellFrame.FromString(payload)
            # No check sees unknown fields, and they count as nesting for those who parse the event.
            frame.DiscardUnknownFields()
        except DecodeError:
            raise _RefusedError.of(
                FailureReason.FAILURE_REASON_INVALID_RESULT, "The program wrote a frame that is not a result."
            ) from None
        kind = frame.WhichOneof("frame")
        if self.blobs.is_open and kind != "blob_part":
            raise _RefusedError.of(
                FailureReason.FAILURE_REASON_PROTOCOL_ERROR, "A frame came between the parts of a blob."
            )
        match kind:
            case "interim_result":
                blobs = self._check(frame.interim_result, len(payload))
                event = TaskEvent(interim_result=frame.interim_result)
                self._interim += 1
                if blobs:
                    event.blobs.extend(blobs)
                return event
            case "final_result":
                self.final_blobs = self._check(frame.final_result, len(payload))
                self.final_result = frame.final_result
            case "blob_part":
                self._take_part(frame.blob_part)
            case "warning":
                return self._warning(frame.warning, len(payload))
            case "failure":
                self.reported = _clipped(frame.failure)
            case _:
                raise _RefusedError.of(
                    FailureReason.FAILURE_REASON_PROTOCOL_ERROR,
                    "The program wrote a frame of an unknown kind.",
                )
        return None

    def _check(self, value: Value, size: int) -> list[BlobRef]:
        """Charges for a result and checks it; returns the blobs that it refers to."""
        self._charge(size)
        with _refusing_unsound:
            blobs = check_value(value, size)
            if blobs:
                self.blobs.refer(blobs)
        return blobs

    def _take_part(self, part: CellBlobPart) -> None:
        if part.abandoned:
            self._charge(0)
            self.blobs.abandon()
            return
        if not (part.data or part.last):
            raise _RefusedError.of(
                FailureReason.FAILURE_REASON_PROTOCOL_ERROR, "The program wrote an empty part of a blob."
            )
        self._charge(len(part.data), 0 if self.blobs.is_open else BLOB_OVERHEAD_BYTES)
        with _refusing_unsound:
            self.blobs.append(part.data, part.last)
        if self.blobs.count > MAX_WRITTEN_BLOBS:
            raise _RefusedError.of(
                FailureReason.FAILURE_REASON_OUTPUT_LIMIT,
                f"The program wrote more than {MAX_WRITTEN_BLOBS} large values.",
                limit=MAX_WRITTEN_BLOBS,
                used=self.blobs.count,
            )

    def _finish_blob(self) -> None:
        with _refusing_unsound:
            self.blobs.finish()

    def _warning(self, warning: JobWarning, size: int) -> TaskEvent | None:
        """Takes what the cell says of a result: a few of known codes, at a size that anyone can read."""
        self._charge(size)
        self._warnings += 1
        if self._warnings > MAX_WARNINGS or warning.code not in WARNING_CODES:
            return None
        message = warning.message[:MAX_WARNING_CHARACTERS]
        return TaskEvent(warning=JobWarning(code=warning.code, message=message))

    def _charge(self, size: int, overhead: int = 0) -> None:
        self.output_bytes += size
        self._charged += size + overhead + EVENT_OVERHEAD_BYTES
        if self._charged > self.max_bytes:
            raise _RefusedError.of(
                FailureReason.FAILURE_REASON_OUTPUT_LIMIT,
                f"The program's results take more than their limit of {self.max_bytes:,} bytes;"
                f" it was stopped when {self._charged:,} were counted.",
                limit=self.max_bytes,
                used=self._charged,
            )


class _RefusedError(Exception):
    """What came out of the cell ends the task; ``failure`` says why."""

    def __init__(self, failure: JobFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure

    @classmethod
    def of(
        cls,
        reason: "FailureReason.ValueType",
        message: str,
        limit: float | None = None,
        used: float | None = None,
    ) -> Self:
        """Makes the failure, too."""
        return cls(JobFailure(reason=reason, message=message, limit=limit, used=used))


class _RefusingUnsound:
    """Ends the task where a result, or a blob of it, is out of bounds."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ValueBoundsError):
            reason = FailureReason.FAILURE_REASON_INVALID_RESULT
            raise _RefusedError.of(reason, f"A result is refused: {error}") from None


# One for all: it is entered for every result, and a generator costs more than most checks.
_refusing_unsound = _RefusingUnsound()


def _clipped(failure: JobFailure) -> JobFailure:
    """The parts of a failure that a program may claim, at a size that anyone can read."""
    return JobFailure(
        reason=failure.reason,
        message=failure.message[:MAX_MESSAGE_CHARACTERS],
        traceback=failure.traceback[:MAX_TRACEBACK_CHARACTERS],
    )
