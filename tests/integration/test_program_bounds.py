"""How many revisions and grants a program may have."""

import grpc
import pytest

from aerlock.v1 import programs_pb2
from aerlock.v1.programs_pb2 import GRANT_LEVEL_READ, GRANT_LEVEL_RUN, Program, ProgramGrant

ACCOUNTS = 1_001


@pytest.fixture
def full(make_gateway, make_program):
    """A program at revision 10,000 that is granted to 1,000 accounts, and a client of its owner."""
    gateway = make_gateway()
    token = gateway.bootstrap()
    gateway.start()
    with gateway.client(token) as client:
        request = programs_pb2.UploadProgramRequest(program=make_program())
        program_id = client.programs.UploadProgram(request, metadata=client.metadata).program.program_id
    gateway.stop()
    with gateway.database() as database:
        names = [(f"account-{number}",) for number in range(ACCOUNTS)]
        database.executemany("INSERT INTO accounts (name, role, create_time) VALUES (?, 'runner', 0)", names)
        grants = [(program_id, name) for (name,) in names[1:]]
        database.executemany("INSERT INTO program_grants VALUES (?, ?, 1)", grants)
        for table in ("programs", "program_revisions"):
            database.execute(f"UPDATE {table} SET revision = 10000 WHERE program_id = ?", (program_id,))
    gateway.start()
    with gateway.client(token) as client:
        yield client, program_id


def test_what_is_beyond_the_bounds_is_refused(full, refused):
    client, program_id = full
    update = programs_pb2.UpdateProgramRequest(program=Program(program_id=program_id, name="new"))
    error = refused(client.programs.UpdateProgram, update, client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_REVISIONS")
    # Visibility makes no revision.
    update.program.ClearField("name")
    update.program.visibility = programs_pb2.VISIBILITY_PUBLIC
    client.programs.UpdateProgram(update, metadata=client.metadata)

    def grant(account, level):
        entry = ProgramGrant(account=account, level=level)
        return programs_pb2.SetProgramGrantRequest(program_id=program_id, grant=entry)

    request = grant("account-0", GRANT_LEVEL_RUN)
    error = refused(client.programs.SetProgramGrant, request, client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_GRANTS")
    # One that there is can be changed.
    client.programs.SetProgramGrant(grant("account-1", GRANT_LEVEL_READ), metadata=client.metadata)
    found, token = [], None
    while token != "":
        request = programs_pb2.ListProgramGrantsRequest(
            program_id=program_id, page_size=300, page_token=token or ""
        )
        page = client.programs.ListProgramGrants(request, metadata=client.metadata)
        found += [entry.account for entry in page.grants]
        token = page.next_page_token
    assert found == sorted(f"account-{number}" for number in range(1, ACCOUNTS))
