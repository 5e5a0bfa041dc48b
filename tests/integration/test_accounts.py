"""Accounts and tokens: made, listed, limited, revoked; and what ends with them."""

import sqlite3
import time

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from aerlock.v1 import accounts_pb2, jobs_pb2, programs_pb2, server_pb2

INFO = server_pb2.GetServerInfoRequest()
NOW = jobs_pb2.WatchJobsRequest(after_cursor=-1)
ROLES = accounts_pb2.ROLE_ADMIN, accounts_pb2.ROLE_AUTHOR, accounts_pb2.ROLE_RUNNER
ADMIN, AUTHOR, RUNNER = ROLES


@pytest.fixture
def own(make_gateway):
    """A running gateway of the test's own, and a client of its first admin."""
    gateway = make_gateway()
    token = gateway.bootstrap()
    gateway.start()
    with gateway.client(token) as client:
        client.gateway = gateway
        yield client


def create(client, name="alice", role=AUTHOR, **fields):
    account = accounts_pb2.Account(name=name, role=role, **fields)
    request = accounts_pb2.CreateAccountRequest(account=account)
    return client.accounts.CreateAccount(request, metadata=client.metadata).account


def update(client, name, *paths, **fields):
    request = accounts_pb2.UpdateAccountRequest(account=accounts_pb2.Account(name=name, **fields))
    request.update_mask.paths.extend(paths)
    return client.accounts.UpdateAccount(request, metadata=client.metadata).account


def create_token(client, account="", metadata=None, **fields):
    request = accounts_pb2.CreateTokenRequest(account=account, **fields)
    return client.accounts.CreateToken(request, metadata=metadata or client.metadata)


def bearer(secret):
    return (("authorization", f"Bearer {secret}"),)


def list_tokens(client, account="", metadata=None):
    request = accounts_pb2.ListTokensRequest(account=account)
    return client.accounts.ListTokens(request, metadata=metadata or client.metadata).tokens


def audit(client, **fields):
    request = accounts_pb2.ListAuditEntriesRequest(**fields)
    return client.accounts.ListAuditEntries(request, metadata=client.metadata).entries


def follow(client, metadata, request=NOW):
    """Opens a stream that stands."""
    stream = client.jobs.WatchJobs(request, metadata=metadata, timeout=60)
    next(stream)
    return stream


def ended(refused, stream):
    """Returns how a stream ends, and after how many seconds."""
    begin = time.monotonic()
    error = refused(lambda *_, **__: stream, None)
    return error, time.monotonic() - begin


def test_account_that_is_made_is_found_and_listed(own):
    limits = accounts_pb2.AccountLimits(max_queued_jobs=3)
    made = create(own, limits=limits)
    assert (made.name, made.role, made.disabled, made.limits) == ("alice", AUTHOR, False, limits)
    get = accounts_pb2.GetAccountRequest(name="alice")
    assert own.accounts.GetAccount(get, metadata=own.metadata).account == made
    for name in ("bob", "carol"):
        create(own, name)
    names, token = [], ""
    while True:
        request = accounts_pb2.ListAccountsRequest(page_size=2, page_token=token)
        page = own.accounts.ListAccounts(request, metadata=own.metadata)
        names += [account.name for account in page.accounts]
        if not (token := page.next_page_token):
            break
    assert names == ["admin", "alice", "bob", "carol"]


def test_account_sees_itself_without_a_name(own, make_account):
    metadata = make_account(own, "alice", "runner")
    account = own.accounts.GetAccount(accounts_pb2.GetAccountRequest(), metadata=metadata).account
    assert (account.name, account.role) == ("alice", RUNNER)


@pytest.mark.parametrize("name", ["", "Alice", "-a", ".a", "a b", "a" * 65, "a\n", "ä", "a/b"])
def test_account_with_a_name_of_another_form_is_refused(client, refused, name):
    request = accounts_pb2.CreateAccountRequest(account=accounts_pb2.Account(name=name, role=RUNNER))
    error = refused(client.accounts.CreateAccount, request, client.metadata)
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert "lower case letters" in error.violations["account.name"]


def test_account_without_a_role_or_with_absurd_limits_is_refused(client, refused):
    limits = accounts_pb2.AccountLimits(max_queued_jobs=-1, max_running_jobs=1_000_001)
    request = accounts_pb2.CreateAccountRequest(
        account=accounts_pb2.Account(name="x", role=77, limits=limits)
    )
    error = refused(client.accounts.CreateAccount, request, client.metadata)
    assert set(error.violations) == {
        "account.role",
        "account.limits.max_queued_jobs",
        "account.limits.max_running_jobs",
    }


def test_name_that_is_taken_is_already_exists(own, refused):
    create(own)
    request = accounts_pb2.CreateAccountRequest(account=accounts_pb2.Account(name="alice", role=RUNNER))
    error = refused(own.accounts.CreateAccount, request, own.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "ACCOUNT_EXISTS")


def test_update_changes_what_the_mask_names_and_nothing_else(own):
    create(own, limits=accounts_pb2.AccountLimits(max_queued_jobs=3, max_running_jobs=4))
    changed = update(own, "alice", "role", role=RUNNER, disabled=True)
    assert (changed.role, changed.disabled, changed.limits.max_queued_jobs) == (RUNNER, False, 3)
    changed = update(own, "alice", "limits.max_queued_jobs")
    assert not changed.limits.HasField("max_queued_jobs")
    assert changed.limits.max_running_jobs == 4


@pytest.mark.parametrize("paths", [(), ("name",), ("create_time",), ("nonsense",)])
def test_update_mask_that_names_nothing_to_change_is_refused(client, refused, paths):
    request = accounts_pb2.UpdateAccountRequest(account=accounts_pb2.Account(name="admin"))
    request.update_mask.paths.extend(paths)
    error = refused(client.accounts.UpdateAccount, request, client.metadata)
    assert "max_queued_jobs" in error.violations["update_mask"]


@pytest.mark.parametrize(("path", "value"), [("disabled", True), ("role", AUTHOR)])
def test_last_admin_stays(own, refused, path, value):
    request = accounts_pb2.UpdateAccountRequest(account=accounts_pb2.Account(name="admin", **{path: value}))
    request.update_mask.paths.append(path)
    error = refused(own.accounts.UpdateAccount, request, own.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LAST_ADMIN")
    create(own, "other", ADMIN)
    own.accounts.UpdateAccount(request, metadata=own.metadata)


def test_token_is_seen_once_and_listed_by_its_id(own):
    create(own)
    made = create_token(own, "alice", description="laptop")
    assert made.secret.startswith("aerlock_")
    assert len(made.secret) > 43
    (listed,) = list_tokens(own, "alice")
    assert listed == made.token
    assert (listed.account, listed.description) == ("alice", "laptop")
    assert listed.expire_time.seconds - listed.create_time.seconds == 365 * 86_400
    assert own.server.GetServerInfo(INFO, metadata=bearer(made.secret)).account == "alice"
    own.gateway.stop()
    with own.gateway.database() as database:
        dump = "\n".join(database.iterdump())
    assert made.secret not in dump
    assert made.secret not in own.gateway.stderr


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ttl", Duration()),
        ("ttl", Duration(seconds=-5)),
        ("ttl", Duration(seconds=365 * 86_400, nanos=1)),
        ("ttl", Duration(seconds=2**62)),
        ("description", "x" * 201),
        ("description", "two\nlines"),
        ("description", "\x1b[2J"),
    ],
)
def test_token_with_a_wrong_field_is_refused(client, refused, field, value):
    request = accounts_pb2.CreateTokenRequest(**{field: value})
    error = refused(client.accounts.CreateToken, request, client.metadata)
    assert set(error.violations) == {field}


def test_tokens_of_an_account_are_bounded(own, refused, make_account):
    metadata = make_account(own, "alice")
    for _ in range(99):
        create_token(own, metadata=metadata)
    error = refused(own.accounts.CreateToken, accounts_pb2.CreateTokenRequest(), metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOKEN_LIMIT")
    assert "100" in error.quota["account:alice"]


def test_token_that_has_expired_lets_nobody_in(own, refused):
    made = create_token(own, ttl=Duration(seconds=1))
    stream = follow(own, bearer(made.secret))
    error, _ = ended(refused, stream)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
    assert time.time() >= made.token.expire_time.ToNanoseconds() / 1e9
    error = refused(own.server.GetServerInfo, INFO, bearer(made.secret))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
    create_token(own)
    assert made.token.token_id not in [token.token_id for token in list_tokens(own)]


def test_revoked_token_lets_nobody_in_and_its_streams_end(own, refused, make_account):
    metadata = make_account(own, "alice")
    other = create_token(own, "alice").secret
    (first, _) = list_tokens(own, "alice")
    streams = [follow(own, metadata) for _ in range(3)]
    untouched = follow(own, bearer(other))
    revoke = accounts_pb2.RevokeTokenRequest(token_id=first.token_id)
    own.accounts.RevokeToken(revoke, metadata=metadata)  # one's own, with itself
    for stream in streams:
        error, seconds = ended(refused, stream)
        assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")
        assert seconds < 2
    error = refused(own.server.GetServerInfo, INFO, metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
    assert untouched.is_active()
    assert own.server.GetServerInfo(INFO, metadata=bearer(other)).account == "alice"
    assert refused(own.accounts.RevokeToken, revoke, own.metadata).reason == "TOKEN_NOT_FOUND"


def test_disabled_account_is_out_at_once_and_comes_back_when_enabled(own, refused, make_account):
    metadata = make_account(own, "alice")
    stream = follow(own, metadata)
    update(own, "alice", "disabled", disabled=True)
    error, seconds = ended(refused, stream)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "ACCOUNT_DISABLED")
    assert seconds < 2
    assert refused(own.server.GetServerInfo, INFO, metadata).reason == "ACCOUNT_DISABLED"
    assert refused(own.jobs.WatchJobs, NOW, metadata).reason == "ACCOUNT_DISABLED"
    update(own, "alice", "disabled", disabled=False)
    assert own.server.GetServerInfo(INFO, metadata=metadata).account == "alice"


def test_new_role_counts_from_the_next_call_and_streams_are_opened_again(own, refused, make_account):
    metadata = make_account(own, "alice", "admin")
    stream = follow(own, metadata, jobs_pb2.WatchJobsRequest(after_cursor=-1, all_accounts=True))
    update(own, "alice", "role", role=RUNNER)
    error, _ = ended(refused, stream)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "ROLE_CHANGED")
    error = refused(own.accounts.ListAccounts, accounts_pb2.ListAccountsRequest(), metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_REQUIRED")


def test_upload_by_a_runner_is_refused_in_words(own, refused, make_account, make_program):
    request = programs_pb2.UploadProgramRequest(program=make_program())
    error = refused(own.programs.UploadProgram, request, make_account(own, "rita", "runner"))
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_REQUIRED")
    assert error.message == (
        "you are not authorized to upload programs: it takes the role admin or author, and yours is runner"
    )
    own.programs.UploadProgram(request, metadata=make_account(own, "anna", "author"))


def test_every_change_is_in_the_audit(own, make_account, make_program):
    metadata = make_account(own, "alice", "author")
    (token,) = list_tokens(own, "alice")
    upload = programs_pb2.UploadProgramRequest(program=make_program())
    program = own.programs.UploadProgram(upload, metadata=metadata).program
    grant = programs_pb2.ProgramGrant(account="admin", level=programs_pb2.GRANT_LEVEL_READ)
    own.programs.SetProgramGrant(
        programs_pb2.SetProgramGrantRequest(program_id=program.program_id, grant=grant), metadata=metadata
    )
    own.programs.DeleteProgramGrant(
        programs_pb2.DeleteProgramGrantRequest(program_id=program.program_id, account="admin"),
        metadata=metadata,
    )
    changed = programs_pb2.UpdateProgramRequest(
        program=programs_pb2.Program(
            program_id=program.program_id, description="New.", visibility=programs_pb2.VISIBILITY_PUBLIC
        )
    )
    own.programs.UpdateProgram(changed, metadata=metadata)
    own.programs.DeleteProgram(
        programs_pb2.DeleteProgramRequest(program_id=program.program_id), metadata=metadata
    )
    update(own, "alice", "role", role=RUNNER)
    own.accounts.RevokeToken(accounts_pb2.RevokeTokenRequest(token_id=token.token_id), metadata=own.metadata)
    entries = audit(own)
    assert [entry.entry_id for entry in entries] == sorted((e.entry_id for e in entries), reverse=True)
    seen = [(entry.account, entry.action, entry.subject) for entry in reversed(entries)]
    assert seen[0] == ("", "account.create", "admin")
    assert [(account, action) for account, action, subject in seen if subject == program.program_id] == [
        ("alice", "program.upload"),
        ("alice", "program.grant"),
        ("alice", "program.revoke"),
        ("alice", "program.update"),
        ("alice", "program.set_visibility"),
        ("alice", "program.delete"),
    ]
    for change in (
        ("admin", "account.create", "alice"),
        ("admin", "token.create", token.token_id),
        ("admin", "account.update", "alice"),
        ("admin", "token.revoke", token.token_id),
    ):
        assert change in seen
    assert {entry.account for entry in audit(own, account="alice")} == {"alice"}
    assert {entry.action for entry in audit(own, subject=token.token_id)} == {"token.create", "token.revoke"}
    assert audit(own, account="nobody") == []
    first = own.accounts.ListAuditEntries(
        accounts_pb2.ListAuditEntriesRequest(page_size=2), metadata=own.metadata
    )
    assert list(first.entries) == list(entries[:2])
    assert audit(own, page_token=first.next_page_token)[0] == entries[2]


def test_rows_of_the_audit_cannot_be_changed_or_deleted(own):
    own.gateway.stop()
    for statement in ("UPDATE audit SET account = 'x'", "DELETE FROM audit"):
        with own.gateway.database() as database, pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute(statement)


def test_operator_can_change_the_audit_all_the_same(own):
    """What SECURITY.md does not promise: when this fails, it may."""
    own.gateway.stop()
    with own.gateway.database() as database:
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
        for (name,) in database.execute(triggers).fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        assert database.execute("DELETE FROM audit").rowcount > 0
