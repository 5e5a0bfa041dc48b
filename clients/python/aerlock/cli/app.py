"""The commands of ``aerlock``, each a thin layer over what does the work."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from aerlock import __version__
from aerlock.cli import accounts, jobs
from aerlock.cli.commands import (
    CommandError,
    bootstrap_command,
    doctor_command,
    executor_command,
    gateway_command,
    server_environment,
)
from aerlock.cli.layout import Layout
from aerlock.cli.unprivileged import why_not_executed

app = typer.Typer(
    name="aerlock",
    help="A self-hosted runtime for quantum programs: run them in a sandbox, stream their interim results.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(accounts.account_app, name="account")
app.add_typer(accounts.token_app, name="token")
app.add_typer(jobs.job_app, name="job")
app.command("jobs")(jobs.list_jobs)
app.command("audit")(accounts.audit)
# The servers parse their own flags, so that --help of each shows its one table of settings.
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

HELP_OF_A_SERVER = """\
aerlock {server} --data-dir DIR --runtime-dir DIR name the installation, as `aerlock up` does;
the directories and sockets below are set from them. The further settings:
"""

ONE_UID = (
    "Gateway and executor share one uid when an ordinary user starts them. Start as root, and they run under"
    " two."
)

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Where everything is kept. Default: /var/lib/aerlock as root, else ~/.local/share/aerlock."
    ),
]
RuntimeDir = Annotated[
    Path | None,
    typer.Option(
        help="Where the unix sockets are. Default: /run/aerlock as root, else $XDG_RUNTIME_DIR/aerlock; "
        "with --data-dir, its folder run."
    ),
]

Sandbox = Annotated[
    str | None,
    typer.Option(help="bubblewrap (default) or landlock, the reduced tier; a setting of the executor."),
]
InsecureNoSandbox = Annotated[
    bool,
    typer.Option(
        "--insecure-no-sandbox",
        help="Isolate nothing: for programs of your own, on this machine alone; a setting of the executor.",
    ),
]


@app.command()
def up(
    data_dir: DataDir = None,
    runtime_dir: RuntimeDir = None,
    listen: Annotated[
        str | None,
        typer.Option(help="HOST:PORT beside the unix socket; loopback only. Default: 127.0.0.1:8765."),
    ] = None,
    sandbox: Sandbox = None,
    insecure_no_sandbox: InsecureNoSandbox = False,
) -> None:
    """Start a gateway and a local executor; Ctrl-C stops both.

    The first start makes an account and stores its token where the client finds
    it. Settings of the two servers beyond these come from the environment
    (AERLOCK_GATEWAY_..., AERLOCK_EXECUTOR_...) or the TOML file that
    AERLOCK_CONFIG names; `aerlock gateway --help` and `aerlock executor --help` list them.
    """
    with _failures():
        from aerlock.cli.up import run_until_signal

        isolation = _isolation_settings(sandbox, insecure_no_sandbox)
        status = asyncio.run(run_until_signal(Layout.choose(data_dir, runtime_dir), listen, isolation))
    raise typer.Exit(status)


@app.command(context_settings=PASS_THROUGH)
def gateway(context: typer.Context, data_dir: DataDir = None, runtime_dir: RuntimeDir = None) -> None:
    """Start the gateway alone; further flags are its settings (--help lists them)."""
    _exec_server("aerlock_gateway", gateway_command, context.args, data_dir, runtime_dir)


@app.command(context_settings=PASS_THROUGH)
def executor(context: typer.Context, data_dir: DataDir = None, runtime_dir: RuntimeDir = None) -> None:
    """Start an executor alone; further flags are its settings (--help lists them)."""
    _exec_server("aerlock_executor", executor_command, context.args, data_dir, runtime_dir)


@app.command()
def bootstrap(data_dir: DataDir = None, runtime_dir: RuntimeDir = None) -> None:
    """Print a new token of the first admin, which is made where there is none.

    For the operator of the server, on its machine: it works on the database, and
    so needs no token and no running server. `aerlock up` does the same by itself.
    """
    with _failures():
        layout = Layout.choose(data_dir, runtime_dir)
        layout.make()
        result = subprocess.run(bootstrap_command(layout), input="\n", text=True, check=False)
    raise typer.Exit(result.returncode)


@app.command()
def doctor(sandbox: Sandbox = None, insecure_no_sandbox: InsecureNoSandbox = False) -> None:
    """Show whether programs can be isolated on this machine, and the cure for what fails.

    It tries what `aerlock up` with the same settings would use, and each environment
    that the settings name. The exit status is 0 where all of it works.
    """
    with _failures():
        command = doctor_command(_isolation_settings(sandbox, insecure_no_sandbox))
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    try:
        report = json.loads(result.stdout)
    except ValueError:
        _fail("the probe itself failed; what it printed is above")
    console = Console(highlight=False, soft_wrap=True)
    for check in report["checks"]:
        detail = f"{check['name']}: {escape(check['detail'])}"
        if check["ok"]:
            console.print(f"[green]ok  [/]  {detail}")
        else:
            console.print(f"[red]FAIL[/]  {detail}\n      cure: {escape(check['cure'])}")
    weaknesses = [*report["weaknesses"], *([] if os.geteuid() == 0 else [ONE_UID])]
    for sentence in weaknesses:
        console.print(f"[yellow]weak[/]  {escape(sentence)}")
    console.print(f"tier: {report['tier']}")
    if not report["works"] and report["tier"] == "none":
        console.print(
            f"What was asked for does not work here: the executor does not start. {report['weaker']}"
        )
    raise typer.Exit(0 if report["works"] else 1)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _isolation_settings(sandbox: str | None, insecure_no_sandbox: bool) -> list[str]:
    """The flags of the executor that its settings and those of the commands share."""
    flags = [] if sandbox is None else ["--sandbox", sandbox]
    return [*flags, *(["--insecure-no-sandbox"] if insecure_no_sandbox else [])]


def _exec_server(
    module: str,
    command: Callable[[Layout, Sequence[str]], list[str]],
    settings: list[str],
    data_dir: Path | None,
    runtime_dir: Path | None,
) -> None:
    """Replaces this process by a server, or by its help."""
    with _failures():
        if "--help" in settings:
            typer.echo(HELP_OF_A_SERVER.format(server=module.removeprefix("aerlock_")))
            os.execv(sys.executable, [sys.executable, "-m", module, "serve", "--help"])  # noqa: S606
        layout = Layout.choose(data_dir, runtime_dir)
        layout.make()
        arguments = command(layout, settings)
        os.execve(arguments[0], arguments, server_environment())  # noqa: S606


@contextmanager
def _failures() -> Iterator[None]:
    """Ends the command with one sentence for what a person can cure."""
    if find_spec("grpc_health") is None or find_spec("pydantic_settings") is None:
        _fail("this command runs servers, which need an extra: pip install 'aerlock[server]'")
    try:
        yield
    except CommandError as error:
        _fail(str(error))
    except OSError as error:
        if error.filename == sys.executable:  # by which each of them starts another process
            _fail(why_not_executed(error.filename, error))
        _fail(f"cannot use {error.filename}: {error.strerror}")


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"aerlock: {sentence}", err=True)
    raise typer.Exit(1)
