"""The commands for accounts, tokens and the audit: they call a server with the token of an account."""

import json
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from aerlock.cli.calls import PAGE, Json, connected, day, fail, pages, print_list, to_dict
from aerlock.v1 import accounts_pb2

account_app = typer.Typer(
    no_args_is_help=True,
    help="""Make, list and change accounts. It takes the token of an admin.

    Roles: a runner runs the programs that it sees; an author uploads programs
    besides, shares and manages them; an admin may do everything.

    A new colleague, in two steps:
    `aerlock account create alice --role author` and
    `aerlock token create --account alice --description laptop`.
    """,
)
token_app = typer.Typer(
    no_args_is_help=True,
    help="""Make, list and revoke tokens: your own, or as an admin those of any account.

    A token is what a client shows to be let in. It is printed once, when it is
    made; the server keeps a digest. Whoever reads it is you: revoke it when it was seen.
    """,
)


class Role(StrEnum):
    """The roles as a person writes them."""

    admin = "admin"
    author = "author"
    runner = "runner"


Name = Annotated[str, typer.Argument(help="Name of the account.")]
Queued = Annotated[
    int | None, typer.Option(min=-1, help="Jobs that may wait at a time; -1 is the server's setting.")
]
Running = Annotated[
    int | None, typer.Option(min=-1, help="Jobs that may run at a time; -1 is the server's setting.")
]
Owner = Annotated[str, typer.Option("--account", help="Another account's, for admins. Default: your own.")]


@account_app.command("create")
def create_account(
    name: Name,
    role: Annotated[Role, typer.Option(help="What the account is for.")] = Role.runner,
    max_queued_jobs: Queued = None,
    max_running_jobs: Running = None,
    as_json: Json = False,
) -> None:
    """Make an account; it gets its first token by `aerlock token create --account NAME`."""
    account = accounts_pb2.Account(name=name, role=_role(role))
    _set_limits(account, max_queued_jobs, max_running_jobs)
    with connected() as connection:
        request = accounts_pb2.CreateAccountRequest(account=account)
        account = connection.call(connection.accounts.CreateAccount, request).account
    _print_accounts([account], as_json)


@account_app.command("list")
def list_accounts(as_json: Json = False) -> None:
    """List all accounts."""
    with connected() as connection:
        request = accounts_pb2.ListAccountsRequest(page_size=PAGE)
        every = pages(connection.accounts.ListAccounts, request, connection)
        accounts = [account for page in every for account in page.accounts]
    _print_accounts(accounts, as_json)


@account_app.command("update")
def update_account(
    name: Name,
    role: Annotated[Role | None, typer.Option(help="What the account is for.")] = None,
    disabled: Annotated[
        bool | None,
        typer.Option("--disable/--enable", help="Whether its tokens let nobody in. Its jobs go on."),
    ] = None,
    max_queued_jobs: Queued = None,
    max_running_jobs: Running = None,
    as_json: Json = False,
) -> None:
    """Change an account: only what is named."""
    request = accounts_pb2.UpdateAccountRequest(account=accounts_pb2.Account(name=name))
    if role is not None:
        request.account.role = _role(role)
        request.update_mask.paths.append("role")
    if disabled is not None:
        request.account.disabled = disabled
        request.update_mask.paths.append("disabled")
    request.update_mask.paths.extend(_set_limits(request.account, max_queued_jobs, max_running_jobs))
    if not request.update_mask.paths:
        fail("nothing to change: name --role, --disable, --enable or a limit")
    with connected() as connection:
        account = connection.call(connection.accounts.UpdateAccount, request).account
    _print_accounts([account], as_json)


@token_app.command("create")
def create_token(
    account: Owner = "",
    description: Annotated[str, typer.Option(help="What it is for, as in 'laptop'.")] = "",
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it is valid.")] = 365,
    as_json: Json = False,
) -> None:
    """Make a token and print it, once; nothing else goes to standard output."""
    request = accounts_pb2.CreateTokenRequest(account=account, description=description)
    request.ttl.FromTimedelta(timedelta(days=days))
    with connected() as connection:
        answer = connection.call(connection.accounts.CreateToken, request)
    if as_json:
        typer.echo(json.dumps(to_dict(answer), indent=2))
        return
    typer.echo(answer.secret)
    until = answer.token.expire_time.ToDatetime().date()
    typer.echo(
        f"The token is shown this once. It lets {answer.token.account} in until {until}; to revoke it,"
        f" give its id {answer.token.token_id}.",
        err=True,
    )


@token_app.command("list")
def list_tokens(account: Owner = "", as_json: Json = False) -> None:
    """List the tokens of an account, by their ids and never themselves."""
    with connected() as connection:
        request = accounts_pb2.ListTokensRequest(account=account, page_size=PAGE)
        every = pages(connection.accounts.ListTokens, request, connection)
        tokens = [token for page in every for token in page.tokens]
    rows = [
        (token.token_id, token.account, token.description, day(token.create_time), day(token.expire_time))
        for token in tokens
    ]
    print_list(("id", "account", "description", "created", "expires"), rows, tokens, as_json)


@token_app.command("revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(help="Id of the token, from `aerlock token list`.")],
) -> None:
    """Revoke a token: it lets nobody in any more, and what is connected with it is cut off."""
    with connected() as connection:
        connection.call(connection.accounts.RevokeToken, accounts_pb2.RevokeTokenRequest(token_id=token_id))
    typer.echo(f"revoked {token_id}", err=True)


def audit(
    account: Annotated[str, typer.Option(help="Only what this account did.")] = "",
    subject: Annotated[str, typer.Option(help="Only what was done to this id.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="How many entries.")] = 50,
    as_json: Json = False,
) -> None:
    """Show who changed which program, job, account or token; newest first, for admins."""
    request = accounts_pb2.ListAuditEntriesRequest(account=account, subject=subject, page_size=limit)
    with connected() as connection:
        entries = connection.call(connection.accounts.ListAuditEntries, request).entries
    rows = [
        (
            entry.time.ToDatetime().isoformat(" ", "seconds"),
            entry.account or "(operator)",
            entry.action,
            entry.subject,
            entry.detail,
        )
        for entry in entries
    ]
    print_list(("time (UTC)", "account", "action", "subject", "detail"), rows, entries, as_json)


def _role(role: Role) -> accounts_pb2.Role.ValueType:
    return accounts_pb2.Role.Value(f"ROLE_{role.upper()}")


def _set_limits(account: accounts_pb2.Account, queued: int | None, running: int | None) -> list[str]:
    """Sets the limits that were given and returns their paths; -1 leaves the field unset."""
    paths = []
    for name, limit in (("max_queued_jobs", queued), ("max_running_jobs", running)):
        if limit is not None:
            paths.append(f"limits.{name}")
            if limit >= 0:
                setattr(account.limits, name, limit)
    return paths


def _print_accounts(accounts: list[accounts_pb2.Account], as_json: bool) -> None:
    rows = [
        (
            account.name,
            accounts_pb2.Role.Name(account.role).removeprefix("ROLE_").lower(),
            "disabled" if account.disabled else "active",
            _limit(account.limits, "max_queued_jobs"),
            _limit(account.limits, "max_running_jobs"),
            day(account.create_time),
        )
        for account in accounts
    ]
    print_list(("name", "role", "state", "queued jobs", "running jobs", "created"), rows, accounts, as_json)


def _limit(limits: accounts_pb2.AccountLimits, name: Any) -> str:  # noqa: ANN401
    return str(getattr(limits, name)) if limits.HasField(name) else "as set"
