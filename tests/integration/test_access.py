"""Who may do what: every role in every relation tries every action of the table, over the stubs.

The table is `aerlock_gateway.core.access.RULES`; docs/access.md shows the same.
"""

import time
from itertools import product
from types import SimpleNamespace

import grpc
import pytest

from aerlock.local_runtime import running_locally
from aerlock.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    jobs_pb2,
    jobs_pb2_grpc,
    programs_pb2,
    programs_pb2_grpc,
)
from aerlock.v1.values_pb2 import MapEntry, MapValue, Value
from aerlock_gateway.core.access import RULES, Action, Level, Relation, Role, allowed

LONG = b"import time\ndef main(backend, user_messenger):\n    time.sleep(600)"
OF_PROGRAMS = [
    Action.SEE_PROGRAM,
    Action.RUN_PROGRAM,
    Action.READ_SOURCE,
    Action.UPDATE_PROGRAM,
    Action.SET_VISIBILITY,
    Action.GRANT_PROGRAM,
    Action.DELETE_PROGRAM,
]
OF_OWNERS = [
    Action.SEE_JOB,
    Action.CANCEL_JOB,
    Action.UPDATE_JOB,
    Action.DELETE_JOB,
    Action.SEE_ACCOUNT,
    Action.UPDATE_ACCOUNT,
    Action.CREATE_TOKEN,
    Action.LIST_TOKENS,
    Action.REVOKE_TOKEN,
]
OF_NOTHING = [Action.UPLOAD_PROGRAM, Action.CREATE_ACCOUNT, Action.LIST_ACCOUNTS, Action.READ_AUDIT]
NAMES = {**{role: f"one-{role}" for role in Role}, "other": "other"}
GRANTED = {Relation.RUN: Level.RUN, Relation.READ: Level.READ, Relation.MANAGE: Level.MANAGE}


class World:
    """A server with an account of each role and one other; each owns a program and a job."""

    def __init__(self, channel, token, make_program, make_account):
        self.programs = programs_pb2_grpc.ProgramServiceStub(channel)
        self.jobs = jobs_pb2_grpc.JobServiceStub(channel)
        self.accounts = accounts_pb2_grpc.AccountServiceStub(channel)
        self.metadata = (("authorization", f"Bearer {token}"),)
        self._make_program = make_program
        # Authors at first, so that they can own programs in any role.
        self.tokens = {who: make_account(self, name, "author") for who, name in NAMES.items()}
        self.owned = {who: self.upload(token) for who, token in self.tokens.items()}
        self.jobs_of = {who: self.run(token) for who, token in self.tokens.items()}
        for role in Role:
            self._set_role(role, role)

    def upload(self, metadata, **fields):
        request = programs_pb2.UploadProgramRequest(program=self._make_program(LONG, **fields))
        return self.programs.UploadProgram(request, metadata=metadata).program.program_id

    def run(self, metadata):
        inputs = MapValue(entries=[MapEntry(key="iterations", value=Value(int_value=0))])
        request = jobs_pb2.RunProgramRequest(
            program_id="hello-world", backend_name="aer_simulator", inputs=inputs
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.jobs.RunProgram(request, metadata=metadata).job.job_id
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() > deadline:
                    raise

    def program(self, role, relation, fresh=False):
        """Returns a program to which the account of this role stands like this."""
        if relation == Relation.SHIPPED:
            return "hello-world"
        if relation == Relation.OWNER:
            if not fresh:
                return self.owned[role]
            return self.upload_as_author(role)
        visibility = programs_pb2.Visibility.Value(
            f"VISIBILITY_{'PUBLIC' if relation == Relation.PUBLIC else 'PRIVATE'}"
        )
        program_id = self.upload(self.tokens["other"], visibility=visibility)
        if relation in GRANTED:
            grant = programs_pb2.ProgramGrant(account=NAMES[role], level=int(GRANTED[relation]))
            request = programs_pb2.SetProgramGrantRequest(program_id=program_id, grant=grant)
            self.programs.SetProgramGrant(request, metadata=self.tokens["other"])
        return program_id

    def upload_as_author(self, role):
        if role != Role.RUNNER:
            return self.upload(self.tokens[role])
        self._set_role(role, Role.AUTHOR)
        try:
            return self.upload(self.tokens[role])
        finally:
            self._set_role(role, Role.RUNNER)

    def _set_role(self, who, role):
        account = accounts_pb2.Account(name=NAMES[who], role=f"ROLE_{role.upper()}")
        request = accounts_pb2.UpdateAccountRequest(account=account)
        request.update_mask.paths.append("role")
        self.accounts.UpdateAccount(request, metadata=self.metadata)

    def token_of(self, who):
        request = accounts_pb2.CreateTokenRequest(account=NAMES[who])
        return self.accounts.CreateToken(request, metadata=self.metadata).token.token_id

    def attempt(self, action, role, relation):
        """Returns the calls that do the action, each as a function of metadata."""
        who = role if relation == Relation.OWNER else "other"
        name, job, program = NAMES[who], self.jobs_of[who], ""
        if action == Action.DELETE_JOB:
            job = self.run(self.tokens[who])
        if action in OF_PROGRAMS:
            program = self.program(role, relation, action == Action.DELETE_PROGRAM)
        requests = {
            Action.UPLOAD_PROGRAM: lambda: [
                (self.programs.UploadProgram, programs_pb2.UploadProgramRequest(program=self._make_program()))
            ],
            Action.SEE_PROGRAM: lambda: [
                (self.programs.GetProgram, programs_pb2.GetProgramRequest(program_id=program)),
                (
                    self.programs.ListProgramRevisions,
                    programs_pb2.ListProgramRevisionsRequest(program_id=program),
                ),
            ],
            # What runs on no backend is let through and comes no further.
            Action.RUN_PROGRAM: lambda: [
                (self.jobs.RunProgram, jobs_pb2.RunProgramRequest(program_id=program, backend_name="none"))
            ],
            Action.READ_SOURCE: lambda: [
                (
                    self.programs.GetProgram,
                    programs_pb2.GetProgramRequest(program_id=program, view=programs_pb2.PROGRAM_VIEW_FULL),
                )
            ],
            Action.UPDATE_PROGRAM: lambda: [
                (
                    self.programs.UpdateProgram,
                    programs_pb2.UpdateProgramRequest(
                        program=programs_pb2.Program(program_id=program, description=f"By {role}.")
                    ),
                )
            ],
            Action.SET_VISIBILITY: lambda: [
                (
                    self.programs.UpdateProgram,
                    programs_pb2.UpdateProgramRequest(
                        program=programs_pb2.Program(
                            program_id=program, visibility=programs_pb2.VISIBILITY_PUBLIC
                        )
                    ),
                )
            ],
            Action.GRANT_PROGRAM: lambda: [
                (
                    self.programs.ListProgramGrants,
                    programs_pb2.ListProgramGrantsRequest(program_id=program),
                ),
                (
                    self.programs.SetProgramGrant,
                    programs_pb2.SetProgramGrantRequest(
                        program_id=program,
                        grant=programs_pb2.ProgramGrant(account="other", level=programs_pb2.GRANT_LEVEL_RUN),
                    ),
                ),
                (
                    self.programs.DeleteProgramGrant,
                    programs_pb2.DeleteProgramGrantRequest(program_id=program, account="other"),
                ),
            ],
            Action.DELETE_PROGRAM: lambda: [
                (self.programs.DeleteProgram, programs_pb2.DeleteProgramRequest(program_id=program))
            ],
            Action.SEE_JOB: lambda: [
                (self.jobs.GetJob, jobs_pb2.GetJobRequest(job_id=job, include_inputs=True)),
                (self.jobs.WatchJob, jobs_pb2.WatchJobRequest(job_id=job, replay_only=True)),
            ],
            Action.CANCEL_JOB: lambda: [(self.jobs.CancelJob, jobs_pb2.CancelJobRequest(job_id=job))],
            Action.UPDATE_JOB: lambda: [
                (self.jobs.UpdateJob, jobs_pb2.UpdateJobRequest(job=jobs_pb2.Job(job_id=job, tags=["a"])))
            ],
            Action.DELETE_JOB: lambda: [(self.jobs.DeleteJob, jobs_pb2.DeleteJobRequest(job_id=job))],
            Action.SEE_ACCOUNT: lambda: [
                (self.accounts.GetAccount, accounts_pb2.GetAccountRequest(name=name))
            ],
            Action.CREATE_ACCOUNT: lambda: [
                (
                    self.accounts.CreateAccount,
                    accounts_pb2.CreateAccountRequest(
                        account=accounts_pb2.Account(name=f"by-{role}", role=accounts_pb2.ROLE_RUNNER)
                    ),
                )
            ],
            Action.LIST_ACCOUNTS: lambda: [(self.accounts.ListAccounts, accounts_pb2.ListAccountsRequest())],
            Action.UPDATE_ACCOUNT: lambda: [
                (
                    self.accounts.UpdateAccount,
                    accounts_pb2.UpdateAccountRequest(
                        account=accounts_pb2.Account(name=name), update_mask={"paths": ["limits"]}
                    ),
                )
            ],
            Action.CREATE_TOKEN: lambda: [
                (self.accounts.CreateToken, accounts_pb2.CreateTokenRequest(account=name))
            ],
            Action.LIST_TOKENS: lambda: [
                (self.accounts.ListTokens, accounts_pb2.ListTokensRequest(account=name))
            ],
            Action.REVOKE_TOKEN: lambda: [
                (
                    self.accounts.RevokeToken,
                    accounts_pb2.RevokeTokenRequest(token_id=self.token_of(who)),
                )
            ],
            Action.READ_AUDIT: lambda: [
                (self.accounts.ListAuditEntries, accounts_pb2.ListAuditEntriesRequest())
            ],
        }
        return requests[action]()


@pytest.fixture(scope="module")
def world(make_program, make_account):
    with running_locally() as stack, grpc.insecure_channel(stack.address) as channel:
        yield World(channel, stack.token, make_program, make_account)


def outcome(action, method, request, metadata):
    """Returns whether the call did the action, or the code with which it was refused."""
    try:
        response = method(request, metadata=metadata, timeout=30)
        if hasattr(response, "__next__"):
            list(response)
    except grpc.RpcError as error:
        return True if "no backend" in error.details() else error.code()
    if action == Action.READ_SOURCE and not response.program.HasField("source"):
        return grpc.StatusCode.PERMISSION_DENIED
    return True


def expected(action, role, relation):
    if allowed(action, role, relation):
        return True
    kind = action.partition(".")[0]
    sight = {"program": Action.SEE_PROGRAM, "job": Action.SEE_JOB, "account": Action.SEE_ACCOUNT}
    seeing = sight.get(kind, Action.LIST_TOKENS)
    sees = action in OF_NOTHING or allowed(seeing, role, relation)
    return grpc.StatusCode.PERMISSION_DENIED if sees else grpc.StatusCode.NOT_FOUND


CASES = [
    *product(OF_PROGRAMS, Role, Relation),
    *product(OF_OWNERS, Role, (Relation.OWNER, Relation.NONE)),
    *product(OF_NOTHING, Role, (Relation.NONE,)),
]


def test_cases_are_all_of_the_table():
    assert {action for action, _, _ in CASES} == set(RULES) == set(Action)
    assert len(CASES) == 7 * 3 * 7 + 9 * 3 * 2 + 4 * 3


@pytest.mark.parametrize(("action", "role", "relation"), CASES)
def test_role_in_relation_may_act_as_the_table_says(world, action, role, relation):
    for method, request in world.attempt(action, role, relation):
        seen = outcome(action, method, request, world.tokens[role])
        assert seen == expected(action, role, relation), method


# What the table must say, whatever else it says: a change of it that goes against these is a mistake.
def test_table_holds_its_promises():
    for action, role in product(Action, Role):
        if role != Role.ADMIN and action.partition(".")[0] != "audit":
            assert not allowed(action, role, Relation.NONE) or action == Action.UPLOAD_PROGRAM
        changes = {Action.UPDATE_PROGRAM, Action.SET_VISIBILITY, Action.GRANT_PROGRAM, Action.DELETE_PROGRAM}
        if action in changes:
            assert not allowed(action, role, Relation.SHIPPED)
            assert not allowed(action, Role.RUNNER, Relation.OWNER)
        assert allowed(action, Role.ADMIN, Relation.OWNER)
    assert not allowed(Action.READ_SOURCE, Role.AUTHOR, Relation.PUBLIC)
    assert not allowed(Action.DELETE_PROGRAM, Role.AUTHOR, Relation.MANAGE)


def things_of(world, who):
    """Makes one of everything for an account and returns all ids."""
    metadata = world.tokens[who]
    program = world.upload(metadata)
    request = jobs_pb2.RunProgramRequest(program_id=program, backend_name="aer_simulator")
    job = world.jobs.RunProgram(request, metadata=metadata).job.job_id
    return SimpleNamespace(program=program, job=job, token=world.token_of(who), name=NAMES[who])


def calls_on(world, things):
    """Every call that takes the id of a thing, on these things."""
    program, job = things.program, things.job
    update = programs_pb2.UpdateProgramRequest(program=programs_pb2.Program(program_id=program, name="mine"))
    grant = programs_pb2.ProgramGrant(account="other", level=programs_pb2.GRANT_LEVEL_MANAGE)
    account = accounts_pb2.UpdateAccountRequest(
        account=accounts_pb2.Account(name=things.name, disabled=True), update_mask={"paths": ["disabled"]}
    )
    return [
        (world.programs.GetProgram, programs_pb2.GetProgramRequest(program_id=program)),
        (world.programs.GetProgram, programs_pb2.GetProgramRequest(program_id=program, revision=1, view=2)),
        (world.programs.ListProgramRevisions, programs_pb2.ListProgramRevisionsRequest(program_id=program)),
        (world.programs.UpdateProgram, update),
        (world.programs.DeleteProgram, programs_pb2.DeleteProgramRequest(program_id=program)),
        (
            world.programs.SetProgramGrant,
            programs_pb2.SetProgramGrantRequest(program_id=program, grant=grant),
        ),
        (
            world.programs.DeleteProgramGrant,
            programs_pb2.DeleteProgramGrantRequest(program_id=program, account="other"),
        ),
        (world.programs.ListProgramGrants, programs_pb2.ListProgramGrantsRequest(program_id=program)),
        (
            world.jobs.RunProgram,
            jobs_pb2.RunProgramRequest(program_id=program, backend_name="aer_simulator"),
        ),
        (world.jobs.GetJob, jobs_pb2.GetJobRequest(job_id=job)),
        (world.jobs.WatchJob, jobs_pb2.WatchJobRequest(job_id=job)),
        (world.jobs.CancelJob, jobs_pb2.CancelJobRequest(job_id=job)),
        (world.jobs.UpdateJob, jobs_pb2.UpdateJobRequest(job=jobs_pb2.Job(job_id=job, tags=["mine"]))),
        (world.jobs.DeleteJob, jobs_pb2.DeleteJobRequest(job_id=job)),
        (world.accounts.GetAccount, accounts_pb2.GetAccountRequest(name=things.name)),
        (world.accounts.UpdateAccount, account),
        (world.accounts.CreateToken, accounts_pb2.CreateTokenRequest(account=things.name)),
        (world.accounts.ListTokens, accounts_pb2.ListTokensRequest(account=things.name)),
        (world.accounts.RevokeToken, accounts_pb2.RevokeTokenRequest(token_id=things.token)),
    ]


def test_two_accounts_find_nothing_of_each_other(world, refused):
    """Each tries everything on the other's things, and hears what it hears of things that do not exist."""
    nothing = SimpleNamespace(program="no-such-0000000000", job="0" * 20, token="0" * 16, name="nobody")
    things = {who: things_of(world, who) for who in (Role.AUTHOR, "other")}
    for caller, owner in ((Role.AUTHOR, "other"), ("other", Role.AUTHOR)):
        metadata = world.tokens[caller]
        for (method, real), (_, unreal) in zip(
            calls_on(world, things[owner]), calls_on(world, nothing), strict=True
        ):
            seen, unseen = refused(method, real, metadata), refused(method, unreal, metadata)
            assert seen.code == grpc.StatusCode.NOT_FOUND
            assert vars(seen) == vars(unseen)
        listed = world.programs.ListPrograms(
            programs_pb2.ListProgramsRequest(page_size=1000), metadata=metadata
        )
        assert things[owner].program not in {program.program_id for program in listed.programs}
        for everyone in (False, True):
            request = jobs_pb2.ListJobsRequest(page_size=1000, all_accounts=everyone)
            owners = {job.owner for job in world.jobs.ListJobs(request, metadata=metadata).jobs}
            assert owners == {NAMES[caller]}
    for who, owned in things.items():
        world.jobs.CancelJob(jobs_pb2.CancelJobRequest(job_id=owned.job), metadata=world.tokens[who])


def test_cursor_of_an_account_counts_what_others_do(world):
    """What SECURITY.md does not promise: when this fails, it may."""
    now, metadata = jobs_pb2.WatchJobsRequest(after_cursor=-1), world.tokens[Role.AUTHOR]

    def cursor():
        stream = world.jobs.WatchJobs(now, metadata=metadata, timeout=60)
        try:
            return next(stream).cursor
        finally:
            stream.cancel()

    before = cursor()
    world.run(world.tokens["other"])
    assert cursor() > before


def test_admin_lists_and_follows_the_jobs_of_everyone_where_it_asks_to(world):
    metadata = world.tokens[Role.ADMIN]
    request = jobs_pb2.ListJobsRequest(page_size=1000)
    assert {job.owner for job in world.jobs.ListJobs(request, metadata=metadata).jobs} == {"one-admin"}
    request.all_accounts = True
    assert {"one-admin", "other"} <= {
        job.owner for job in world.jobs.ListJobs(request, metadata=metadata).jobs
    }
    watch = jobs_pb2.WatchJobsRequest(after_cursor=-1, all_accounts=True)
    stream = world.jobs.WatchJobs(watch, metadata=metadata, timeout=60)
    next(stream)
    job = world.run(world.tokens["other"])
    assert job in {entry.job_id for entry in next(stream).entries}
    stream.cancel()
