"""Clients that call and take no answer: what the gateway keeps for them."""

import time

import grpc
import pytest
from security.silent_client import SilentClient

from aerlock.v1 import programs_pb2, programs_pb2_grpc
from aerlock.v1.accounts_pb2 import CreateTokenRequest
from aerlock.v1.accounts_pb2_grpc import AccountServiceStub

CALLS = 300
SOURCE_BYTES = 700_000
# What the gateway keeps of answers of one account.
MOST_UNTAKEN_BYTES = 64 << 20
PROGRAM = "def main(backend, user_messenger):\n    return 1\n"


@pytest.fixture
def caller(arena):
    """The programs' stub of the attacker, and its token."""
    admin = (("authorization", f"Bearer {arena.runtime.token}"),)
    with grpc.insecure_channel(arena.runtime.address) as channel:
        request = CreateTokenRequest(account="mallory")
        secret = AccountServiceStub(channel).CreateToken(request, metadata=admin).secret
        yield programs_pb2_grpc.ProgramServiceStub(channel), secret


def test_answers_that_nobody_takes_are_bounded_for_each_account(arena, caller):
    """The account is refused further ones until they are gone; the jobs of another run."""
    programs, token = caller
    program_id = arena.attacker.upload("untaken", PROGRAM + "#" * (SOURCE_BYTES - len(PROGRAM)))
    request = programs_pb2.GetProgramRequest(program_id=program_id, view=programs_pb2.PROGRAM_VIEW_FULL)
    with SilentClient(arena.runtime.address.removeprefix("unix:"), token) as client:
        for _ in range(CALLS):
            client.call("/aerlock.v1.ProgramService/GetProgram", request.SerializeToString())
        kept = CALLS - client.count_refused(CALLS)
        assert 0 < kept <= MOST_UNTAKEN_BYTES // SOURCE_BYTES
        with pytest.raises(grpc.RpcError) as refused:
            get_program(programs, request, token)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        arena.run_canary()
    deadline = time.monotonic() + 60
    while (size := answered_bytes(programs, request, token)) is None:
        assert time.monotonic() < deadline
    assert size > SOURCE_BYTES


def answered_bytes(programs, request, token: str) -> int | None:
    """How long the answer is; None where it was refused."""
    try:
        return get_program(programs, request, token).ByteSize()
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        return None


def get_program(programs, request, token: str) -> programs_pb2.GetProgramResponse:
    """Calls the method and takes its answer."""
    return programs.GetProgram(request, metadata=(("authorization", f"Bearer {token}"),), timeout=60)
