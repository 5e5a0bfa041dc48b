"""Private, public and granted programs: accounts that try everything on each other's programs."""

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from aerlock.v1 import accounts_pb2, accounts_pb2_grpc, backends_pb2, jobs_pb2, programs_pb2
from aerlock.v1.programs_pb2 import (
    GRANT_LEVEL_MANAGE,
    GRANT_LEVEL_READ,
    GRANT_LEVEL_RUN,
    VISIBILITY_PRIVATE,
    VISIBILITY_PUBLIC,
    Program,
    ProgramGrant,
)

FULL = programs_pb2.PROGRAM_VIEW_FULL
NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "PROGRAM_NOT_FOUND")
DENIED = (grpc.StatusCode.PERMISSION_DENIED, "ACCESS_REQUIRED")


@pytest.fixture(scope="module")
def people(gateway):
    """An author, another author and a runner, each with its token, beside the admin."""
    tokens = {}
    with gateway.gateway.client(gateway.token) as admin:
        stub = accounts_pb2_grpc.AccountServiceStub(admin.channel)
        for name, role in (("ada", "AUTHOR"), ("bob", "AUTHOR"), ("rae", "RUNNER")):
            account = accounts_pb2.Account(name=name, role=f"ROLE_{role}")
            stub.CreateAccount(accounts_pb2.CreateAccountRequest(account=account), metadata=admin.metadata)
            request = accounts_pb2.CreateTokenRequest(account=name)
            tokens[name] = stub.CreateToken(request, metadata=admin.metadata).secret
    return tokens


@pytest.fixture
def ada(gateway, people):
    with gateway.gateway.client(people["ada"]) as client:
        yield client


@pytest.fixture
def bob(gateway, people):
    with gateway.gateway.client(people["bob"]) as client:
        yield client


@pytest.fixture
def rae(gateway, people):
    with gateway.gateway.client(people["rae"]) as client:
        yield client


@pytest.fixture
def program(ada, make_program) -> str:
    request = programs_pb2.UploadProgramRequest(program=make_program())
    return ada.programs.UploadProgram(request, metadata=ada.metadata).program.program_id


def calls(client, program_id):
    """Every method that takes a program, with a request that would do something."""
    stub = client.programs
    grant = ProgramGrant(account="rae", level=GRANT_LEVEL_RUN)
    return {
        "get": (stub.GetProgram, programs_pb2.GetProgramRequest(program_id=program_id)),
        "source": (stub.GetProgram, programs_pb2.GetProgramRequest(program_id=program_id, view=FULL)),
        "revisions": (
            stub.ListProgramRevisions,
            programs_pb2.ListProgramRevisionsRequest(program_id=program_id),
        ),
        "run": (
            client.jobs.RunProgram,
            jobs_pb2.RunProgramRequest(program_id=program_id, backend_name="aer_simulator"),
        ),
        "update": (
            stub.UpdateProgram,
            programs_pb2.UpdateProgramRequest(program=Program(program_id=program_id, name="taken")),
        ),
        "hide": (
            stub.UpdateProgram,
            programs_pb2.UpdateProgramRequest(
                program=Program(program_id=program_id), update_mask=FieldMask(paths=["visibility"])
            ),
        ),
        "grants": (stub.ListProgramGrants, programs_pb2.ListProgramGrantsRequest(program_id=program_id)),
        "grant": (
            stub.SetProgramGrant,
            programs_pb2.SetProgramGrantRequest(program_id=program_id, grant=grant),
        ),
        "revoke": (
            stub.DeleteProgramGrant,
            programs_pb2.DeleteProgramGrantRequest(program_id=program_id, account="rae"),
        ),
        "delete": (stub.DeleteProgram, programs_pb2.DeleteProgramRequest(program_id=program_id)),
    }


def outcome(client, call) -> tuple[object, str] | str:
    """ "ok", or status and reason; without an executor a run that is let through is UNAVAILABLE."""
    from google.rpc import error_details_pb2
    from grpc_status.rpc_status import from_call

    method, request = call
    try:
        method(request, metadata=client.metadata, timeout=30)
    except grpc.RpcError as error:
        info = error_details_pb2.ErrorInfo()
        from_call(error).details[0].Unpack(info)
        return "ok" if info.reason == "NO_EXECUTOR" else (error.code(), info.reason)
    return "ok"


def outcomes(client, program_id):
    return {name: outcome(client, call) for name, call in calls(client, program_id).items()}


def show(ada, program_id, visibility):
    request = programs_pb2.UpdateProgramRequest(program=Program(program_id=program_id, visibility=visibility))
    return ada.programs.UpdateProgram(request, metadata=ada.metadata).program


def grant(ada, program_id, account, level):
    request = programs_pb2.SetProgramGrantRequest(
        program_id=program_id, grant=ProgramGrant(account=account, level=level)
    )
    ada.programs.SetProgramGrant(request, metadata=ada.metadata)


def listed(client):
    request = programs_pb2.ListProgramsRequest(page_size=1000)
    return {p.program_id for p in client.programs.ListPrograms(request, metadata=client.metadata).programs}


def test_private_program_does_not_exist_for_others(program, bob, rae, refused):
    for other in (bob, rae):
        assert set(outcomes(other, program).values()) == {NOT_FOUND}
        assert program not in listed(other)
        for name, call in calls(other, program).items():
            hidden = refused(*call, other.metadata)
            missing = refused(*calls(other, "missing-0123456789")[name], other.metadata)
            assert vars(hidden) == vars(missing), name


def test_public_program_is_seen_and_run_and_no_more(program, ada, bob, rae):
    show(ada, program, VISIBILITY_PUBLIC)
    for other in (bob, rae):
        assert program in listed(other)
        found = outcomes(other, program)
        assert {name for name, result in found.items() if result == "ok"} == {"get", "revisions", "run"}
    assert {result for result in outcomes(bob, program).values() if result != "ok"} == {DENIED}
    show(ada, program, VISIBILITY_PRIVATE)
    assert set(outcomes(bob, program).values()) == {NOT_FOUND}


@pytest.mark.parametrize(
    ("level", "may"),
    [
        (GRANT_LEVEL_RUN, {"get", "revisions", "run"}),
        (GRANT_LEVEL_READ, {"get", "revisions", "run", "source"}),
        (
            GRANT_LEVEL_MANAGE,
            {"get", "revisions", "run", "source", "update", "hide", "grants", "grant", "revoke"},
        ),
    ],
)
@pytest.mark.parametrize("visibility", [VISIBILITY_PRIVATE, VISIBILITY_PUBLIC])
def test_grant_lets_do_what_its_level_says(program, ada, bob, level, may, visibility):
    show(ada, program, visibility)
    grant(ada, program, "bob", level)
    assert program in listed(bob)
    found = outcomes(bob, program)
    assert {name for name, result in found.items() if result == "ok"} == may
    assert {result for result in found.values() if result != "ok"} == {DENIED}


def test_manager_may_not_delete_and_the_owner_still_may(program, ada, bob):
    grant(ada, program, "bob", GRANT_LEVEL_MANAGE)
    assert outcome(bob, calls(bob, program)["delete"]) == DENIED
    assert outcome(ada, calls(ada, program)["delete"]) == "ok"
    assert program not in listed(bob)


def test_runner_who_manages_still_may_not_change(program, ada, rae):
    grant(ada, program, "rae", GRANT_LEVEL_MANAGE)
    found = outcomes(rae, program)
    assert found["source"] == "ok"
    assert found["update"] == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_REQUIRED")


def test_grant_that_is_revoked_is_worth_nothing(program, ada, bob):
    grant(ada, program, "bob", GRANT_LEVEL_READ)
    request = programs_pb2.ListProgramGrantsRequest(program_id=program)
    grants = ada.programs.ListProgramGrants(request, metadata=ada.metadata).grants
    assert [(entry.account, entry.level) for entry in grants] == [("bob", GRANT_LEVEL_READ)]
    for _ in range(2):  # harmless where there is nothing
        revoke = programs_pb2.DeleteProgramGrantRequest(program_id=program, account="bob")
        ada.programs.DeleteProgramGrant(revoke, metadata=ada.metadata)
    assert program not in listed(bob)
    assert set(outcomes(bob, program).values()) == {NOT_FOUND}


def test_admin_may_do_everything(program, client):
    assert program in listed(client)
    assert set(outcomes(client, program).values()) == {"ok"}


@pytest.mark.parametrize(
    ("grant", "field"),
    [
        (ProgramGrant(account="nobody", level=GRANT_LEVEL_RUN), "grant.account"),
        (ProgramGrant(account="bob"), "grant.level"),
        (ProgramGrant(account="bob", level=7), "grant.level"),
    ],
)
def test_grant_to_nobody_or_of_nothing_is_refused(program, ada, refused, grant, field):
    request = programs_pb2.SetProgramGrantRequest(program_id=program, grant=grant)
    error = refused(ada.programs.SetProgramGrant, request, ada.metadata)
    assert (error.reason, set(error.violations)) == ("INVALID_FIELD", {field})


def test_runner_may_not_upload(rae, refused, make_program):
    request = programs_pb2.UploadProgramRequest(program=make_program())
    error = refused(rae.programs.UploadProgram, request, rae.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_REQUIRED")
    assert "not authorized to upload programs" in error.message


def test_every_change_is_in_the_audit(program, ada, client):
    show(ada, program, VISIBILITY_PUBLIC)
    grant(ada, program, "bob", GRANT_LEVEL_READ)
    for name in ("update", "revoke", "delete"):
        assert outcome(ada, calls(ada, program)[name]) == "ok"
    stub = accounts_pb2_grpc.AccountServiceStub(client.channel)
    request = accounts_pb2.ListAuditEntriesRequest(subject=program)
    entries = stub.ListAuditEntries(request, metadata=client.metadata).entries
    assert [(entry.account, entry.action, entry.detail) for entry in reversed(entries)] == [
        ("ada", "program.upload", ""),
        ("ada", "program.set_visibility", "public"),
        ("ada", "program.grant", "account=bob level=READ"),
        ("ada", "program.update", "revision=2"),
        ("ada", "program.delete", ""),
    ]


def test_backends_are_for_every_account(rae, refused):
    error = refused(rae.backends.ListBackends, backends_pb2.ListBackendsRequest(), rae.metadata)
    assert error.reason == "NO_EXECUTOR"
