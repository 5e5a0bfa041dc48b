"""The commands for jobs: listing, showing, tagging, cancelling and deleting them."""

import json
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from aerlock._job_filter import list_request
from aerlock.cli.calls import PAGE, Json, connected, fail, pages, print_list, to_dict
from aerlock.cli.job_view import local_time, print_job, state_name
from aerlock.cli.logs import print_logs
from aerlock.cli.tables import visible
from aerlock.exceptions import RuntimeJobNotFound
from aerlock.v1 import jobs_pb2

job_app = typer.Typer(no_args_is_help=True, help="Show, tag, cancel and delete jobs, and print their logs.")
job_app.command("logs")(print_logs)


class State(StrEnum):
    """The states as a person writes them."""

    queued = "queued"
    running = "running"
    cancelling = "cancelling"
    completed = "completed"
    failed = "failed"
    cancelled = "cancelled"


JobId = Annotated[str, typer.Argument(help="Id of the job.")]
JobIds = Annotated[list[str], typer.Argument(help="Ids of the jobs.")]


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time. Give one such as 2026-11-22 or 2026-11-22T18:30:00, which are local, or"
            " 2026-11-22T18:30:00+01:00."
        ) from None


Time = Annotated[
    datetime | None,
    typer.Option(
        parser=_time,
        metavar="TIME",
        help="Local time, as in 2026-11-22 or 2026-11-22T18:30:00; or with a zone.",
    ),
]


def list_jobs(
    state: Annotated[list[State] | None, typer.Option(help="Only in this state; may be given again.")] = None,
    pending: Annotated[
        bool | None, typer.Option("--pending/--ended", help="Only those that wait or run, or that do not.")
    ] = None,
    program: Annotated[str | None, typer.Option(help="Only of the program with this id.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only with this tag; given again, with all.")] = None,
    backend: Annotated[str | None, typer.Option(help="Only on this backend.")] = None,
    created_after: Time = None,
    created_before: Time = None,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Turn the order around.")] = False,
    all_accounts: Annotated[
        bool, typer.Option("--all-accounts", help="Those of everyone, for admins; others see their own.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many jobs.")] = 20,
    as_json: Json = False,
) -> None:
    """List your jobs, newest first; every filter that is given must take a job."""
    if state and pending is not None:
        fail("give --state, or --pending or --ended, and not both")
    with connected() as connection:
        request = list_request(
            pending,
            program,
            created_after,
            created_before,
            tag,
            backend,
            not oldest_first,
            all_accounts,
        )
        request.states.extend(_STATES[one] for one in state or ())
        request.page_size = min(limit, PAGE)
        every = (job for page in pages(connection.jobs.ListJobs, request, connection) for job in page.jobs)
        jobs = list(islice(every, limit))
    # One's own name on every line would only take room.
    titles = ("id", "created", "state", "program", "backend", *(["owner"] if all_accounts else []), "tags")
    print_list(titles, [_row(job, all_accounts) for job in jobs], jobs, as_json)


@job_app.command("show")
def show_job(job_id: JobId, as_json: Json = False) -> None:
    """Print what is known of a job: its state, why it failed, its times and what it used."""
    with connected() as connection:
        job = connection.call(connection.jobs.GetJob, jobs_pb2.GetJobRequest(job_id=job_id)).job
    if not as_json:
        print_job(job)
        return
    for line in json.dumps(to_dict(job), indent=2, ensure_ascii=False).split("\n"):
        typer.echo(visible(line))


@job_app.command("tag")
def tag_job(
    job_id: JobId,
    tags: Annotated[list[str] | None, typer.Argument(help="The new tags; none: no tags.")] = None,
) -> None:
    """Give a job these tags in place of those that it has."""
    request = jobs_pb2.UpdateJobRequest(job=jobs_pb2.Job(job_id=job_id, tags=tags))
    request.update_mask.paths.append("tags")
    with connected() as connection:
        connection.call(connection.jobs.UpdateJob, request)


@job_app.command("cancel")
def cancel_jobs(job_ids: JobIds) -> None:
    """End jobs; what they have published stays."""
    with connected() as connection:

        def cancel(job_id: str) -> None:
            request = jobs_pb2.CancelJobRequest(job_id=job_id)
            job = connection.call(connection.jobs.CancelJob, request).job
            typer.echo(f"{job_id} {state_name(job)}")

        _for_each(job_ids, cancel)


@job_app.command("delete")
def delete_jobs(job_ids: JobIds) -> None:
    """Delete jobs with their results and logs, for good; those that wait or run are cancelled."""
    with connected() as connection:

        def delete(job_id: str) -> None:
            connection.call(connection.jobs.DeleteJob, jobs_pb2.DeleteJobRequest(job_id=job_id))
            typer.echo(f"deleted {job_id}", err=True)

        _for_each(job_ids, delete)


def _for_each(job_ids: list[str], action: Callable[[str], None]) -> None:
    """Does it for each job, and names those that there are not; the command fails then."""
    missing = 0
    for job_id in job_ids:
        try:
            action(job_id)
        except RuntimeJobNotFound:
            missing += 1
            typer.echo(
                f"there is no job {job_id!r}; `aerlock jobs` shows yours, with --all-accounts all that you"
                " may see",
                err=True,
            )
    if missing:
        raise typer.Exit(1)


_STATES = {state: jobs_pb2.JobState.Value(f"JOB_STATE_{state.upper()}") for state in State}


def _row(job: jobs_pb2.Job, with_owner: bool) -> tuple[str, ...]:
    created, owner = local_time(job.times.create_time), [job.owner] if with_owner else []
    tags = ", ".join(job.tags)
    return (job.job_id, created, state_name(job), job.program_id, job.backend_name, *owner, tags)
