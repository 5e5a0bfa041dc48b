"""The command that prints what a program has written, as the bytes that they are."""

import sys
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from aerlock._channel import Connection, translated_errors
from aerlock.cli.calls import connected
from aerlock.exceptions import ServerUnavailableError
from aerlock.v1 import jobs_pb2

_RETRY_SECONDS = 1.0


def print_logs(
    job_id: Annotated[str, typer.Argument(help="Id of the job.")],
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job ends.")] = False,
) -> None:
    """Print what a job has written: its stdout to stdout, its stderr to stderr."""
    with connected() as connection:
        for output in _outputs(connection, job_id, follow):
            stream = sys.stderr if output.source == jobs_pb2.LOG_SOURCE_STDERR else sys.stdout
            stream.buffer.write(output.data)
            stream.buffer.flush()
            if output.dropped_bytes:
                typer.echo("aerlock: the job wrote more than is kept; the rest was dropped", err=True)


def _outputs(connection: Connection, job_id: str, follow: bool) -> Iterator[jobs_pb2.LogOutput]:
    """Yields the log output of a job; one that is followed outlives a restart of the gateway."""
    kinds = [jobs_pb2.EVENT_KIND_LOG_OUTPUT]
    request = jobs_pb2.WatchJobRequest(job_id=job_id, kinds=kinds, replay_only=not follow)
    while True:
        try:
            with translated_errors():
                for response in connection.open_stream(connection.jobs.WatchJob, request):
                    yield from (event.log_output for event in response.events if event.HasField("log_output"))
                    request.after_sequence = response.scanned_sequence
        except ServerUnavailableError:
            if not (follow and request.after_sequence):
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return
