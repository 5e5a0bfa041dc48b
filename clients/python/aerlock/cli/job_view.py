"""What `aerlock job show` prints for people."""

from collections.abc import Iterator

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from aerlock._times import to_local_time, to_seconds
from aerlock.cli.tables import visible
from aerlock.resource_limits import ResourceLimits
from aerlock.v1 import jobs_pb2

_TIMES = {"created": "create_time", "started": "start_time", "ended": "end_time"}


def print_job(job: jobs_pb2.Job) -> None:
    """Prints what is known of a job, a line for each, and the traceback of one that failed."""
    lines = [*_identity(job), *_failure(job), *_options(job), *_times(job.times), *_usage(job)]
    width = max(len(title) for title, _ in lines)
    for title, text in lines:
        typer.echo(f"{title:<{width}}  {visible(text)}")
    if job.failure.traceback:
        typer.echo()
        for line in job.failure.traceback.rstrip().split("\n"):
            typer.echo(visible(line))


def state_name(job: jobs_pb2.Job) -> str:
    """The state as a person writes it."""
    return jobs_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_").lower()


def local_time(time: Timestamp) -> str:
    """A time in the zone of this machine, to the second."""
    return to_local_time(time).replace(tzinfo=None).isoformat(" ", "seconds")


def _identity(job: jobs_pb2.Job) -> Iterator[tuple[str, str]]:
    yield "id", job.job_id
    yield "state", state_name(job)
    if job.HasField("queue_position"):
        yield "queue position", f"{job.queue_position:,}"


def _failure(job: jobs_pb2.Job) -> Iterator[tuple[str, str]]:
    if not job.HasField("failure"):
        return
    failure = job.failure
    yield "reason", jobs_pb2.FailureReason.Name(failure.reason).removeprefix("FAILURE_REASON_")
    yield "message", failure.message
    for name in ("limit", "used", "signal", "exit_code"):
        if failure.HasField(name):
            yield name.replace("_", " "), _plain(getattr(failure, name))


def _options(job: jobs_pb2.Job) -> Iterator[tuple[str, str]]:
    yield "program", f"{job.program_id}, revision {job.program_revision}"
    yield "backend", job.backend_name
    yield "owner", job.owner
    if job.tags:
        yield "tags", ", ".join(job.tags)
    yield "environment", job.options.image
    if job.isolation_tier:
        yield "isolation", job.isolation_tier
    limits = {"max_execution_time": to_seconds(job.options.max_execution_time)}
    limits |= ResourceLimits.from_message(job.options.limits).to_dict()
    yield "limits", ", ".join(f"{name} {_plain(limit)}" for name, limit in limits.items())


def _times(times: jobs_pb2.JobTimes) -> Iterator[tuple[str, str]]:
    for title, name in _TIMES.items():
        if times.HasField(name):  # type: ignore[arg-type]
            yield title, local_time(getattr(times, name))


def _usage(job: jobs_pb2.Job) -> Iterator[tuple[str, str]]:
    if not job.HasField("usage"):
        return
    usage = job.usage
    yield "CPU time", f"{to_seconds(usage.cpu_time):,.3f} s"
    yield "peak memory", f"{usage.peak_memory_bytes:,} bytes"
    yield "output", f"{usage.output_bytes:,} bytes"
    yield "startup", f"{to_seconds(usage.startup_time):,.3f} s"
    yield "run", f"{to_seconds(usage.wall_time):,.3f} s"


def _plain(number: float) -> str:
    """A number with its thousands apart, and decimals only where it has any."""
    return f"{number:,.3f}".rstrip("0").rstrip(".")
