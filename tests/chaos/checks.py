"""What must be true whatever was killed: of each job's log, of every watcher, of what is left behind."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import psutil
from chaos.plan import Plan

from aerlock.v1 import jobs_pb2
from aerlock.v1.values_pb2 import BlobRef

TERMINAL = (jobs_pb2.JOB_STATE_COMPLETED, jobs_pb2.JOB_STATE_FAILED, jobs_pb2.JOB_STATE_CANCELLED)
KINDS = {
    "state_change": jobs_pb2.EVENT_KIND_STATE_CHANGE,
    "interim_result": jobs_pb2.EVENT_KIND_INTERIM_RESULT,
    "final_result": jobs_pb2.EVENT_KIND_FINAL_RESULT,
    "log_output": jobs_pb2.EVENT_KIND_LOG_OUTPUT,
    "warning": jobs_pb2.EVENT_KIND_WARNING,
}


def is_terminal(event: jobs_pb2.JobEvent) -> bool:
    return event.HasField("state_change") and event.state_change.state in TERMINAL


def check_log(plan: Plan, job: jobs_pb2.Job, log: Sequence[jobs_pb2.JobEvent]) -> Iterator[str]:
    """Yields what is wrong with the whole log of a job."""
    name = f"job {job.job_id} (n{plan.number})"
    if [event.sequence for event in log] != list(range(1, len(log) + 1)):
        yield f"{name}: its sequences are not 1 to {len(log)}: {_ranges(log)}"
    if [is_terminal(event) for event in log] != [False] * (len(log) - 1) + [True]:
        yield f"{name}: it does not have one terminal event, last"
        return
    end = log[-1].state_change
    if not plan.may_end(end.state, end.failure.reason, end.failure.signal):
        yield f"{name}: {plan} cannot end as {end}"
    if (job.state, job.last_sequence, job.failure) != (end.state, log[-1].sequence, end.failure):
        yield f"{name}: its row says {job.state}, {job.last_sequence}, its log {end}"
    yield from (f"{name}: {wrong}" for wrong in _check_outputs(plan, log))


def _check_outputs(plan: Plan, log: Sequence[jobs_pb2.JobEvent]) -> Iterator[str]:
    completed = log[-1].state_change.state == jobs_pb2.JOB_STATE_COMPLETED
    interim = [event.interim_result for event in log if event.HasField("interim_result")]
    expected = plan.interim_results
    if interim != expected[: len(interim)]:
        yield "its interim results are not those that the program published, in their order"
    output = b"".join(event.log_output.data for event in log if event.HasField("log_output"))
    if not plan.output.startswith(output):
        yield "its output is not what the program wrote"
    if completed and (len(interim), output) != (len(expected), plan.output):
        yield f"it completed with {len(interim)} of {len(expected)} results and {len(output)} bytes of output"
    final = [event.final_result for event in log if event.HasField("final_result")]
    if final != ([plan.final_result] if completed else []):
        yield f"it has {len(final)} final results, or not the one that the program returned"


def check_watcher(
    who: str, kinds: Iterable[int], seen: Sequence[jobs_pb2.JobEvent], log: Sequence[jobs_pb2.JobEvent]
) -> Iterator[str]:
    """Yields what a watcher did not get as it is in the log."""
    wanted = [event for event in log if not kinds or KINDS[_kind(event)] in kinds or is_terminal(event)]
    if list(seen) != wanted:
        yield f"{who} got {len(seen)} events of {len(wanted)}: {_ranges(seen)}"


def _kind(event: jobs_pb2.JobEvent) -> str:
    return event.WhichOneof("event") or ""


def _ranges(events: Sequence[jobs_pb2.JobEvent]) -> str:
    """The sequences of events, in short."""
    ranges: list[list[int]] = []
    for event in events:
        if ranges and event.sequence == ranges[-1][1] + 1:
            ranges[-1][1] += 1
        else:
            ranges.append([event.sequence, event.sequence])
    return ", ".join(f"{first}-{last}" for first, last in ranges[:20])


def check_executor_files(folder: Path) -> Iterator[str]:
    """Yields what an executor without tasks still has of tasks."""
    left = [path.name for path in (folder / "spool").iterdir()]
    left += [path.name for path in (folder / "blobs").glob("draft-*")]
    if left:
        yield f"the executor still has {left[:10]}"
    for path in (folder / "blobs").glob("??/*"):
        with path.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != path.name:
                yield f"the executor's blob {path.name} has another content"


def check_gateway_files(folder: Path) -> Iterator[str]:
    """Yields what is wrong with the database and the blobs of a gateway that has ended."""
    with closing(sqlite3.connect(folder / "gateway.db")) as database:
        problems = database.execute("PRAGMA integrity_check").fetchall()
        if problems != [("ok",)]:
            yield f"the database is damaged: {problems[:5]}"
        if broken := database.execute("PRAGMA foreign_key_check").fetchall():
            yield f"the database has rows that refer to nothing: {broken[:5]}"
        rows = database.execute("SELECT lower(hex(sha256)), size FROM blobs").fetchall()
    for sha256, size in rows:
        path = folder / "blobs" / sha256[:2] / sha256
        if not path.is_file() or path.stat().st_size != size:
            yield f"the gateway's blob {sha256} is not there, or has another size"


def check_processes(known: Iterable[int] = ()) -> Iterator[str]:
    """Yields what still runs below this process, which adopts orphans."""
    for process in psutil.Process().children(recursive=True):
        try:
            if process.pid not in known and process.status() != psutil.STATUS_ZOMBIE:
                yield f"process {process.pid} is left: {process.cmdline()}"
        except psutil.NoSuchProcess:
            continue


def check_blob(blob: BlobRef, content: bytes) -> Iterator[str]:
    """Yields what is wrong with the bytes of a blob as a client has read it."""
    if (len(content), hashlib.sha256(content).hexdigest()) != (blob.size_bytes, blob.sha256):
        yield f"the blob {blob.sha256} of {blob.size_bytes} bytes was read as {len(content)} others"
