import re
import signal

import pytest

from aerlock.v1.jobs_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    FailureReason,
    JobFailure,
)
from aerlock.v1.values_pb2 import Value
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.last_words import LastWords
from aerlock_executor.limit_failures import CLAIMED_LIMITS
from aerlock_executor.limits import Limits
from aerlock_executor.running_cell import CellExit
from aerlock_executor.verdict import CLAIMABLE_REASONS, Observations, judge

CELL = CellLimits(memory_bytes=1 << 26, scratch_bytes=1 << 20, scratch_files=16, threads=4, open_files=32)
LIMITS = Limits(
    wall_seconds=60,
    grace_seconds=1,
    cpu_seconds=10,
    cell=CELL,
    result_bytes=1 << 20,
    events_per_second=100,
    log_bytes=1 << 20,
)
NO_RESULT = FailureReason.FAILURE_REASON_NO_RESULT
FINAL = Value(string_value="done")


def exited(code: int | None = None, signal: int | None = None, cpu_seconds: float = 0.1) -> CellExit:
    return CellExit(exit_code=code, signal=signal, cpu_seconds=cpu_seconds, peak_memory_bytes=1)


def test_final_result_and_exit_0_is_completed():
    assert judge(Observations(final_result=FINAL, exit=exited(0)), LIMITS).state == JOB_STATE_COMPLETED


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (Observations(exit=exited(0)), "NO_RESULT"),
        (Observations(exit=exited(7)), "NO_RESULT"),
        (Observations(final_result=FINAL, exit=exited(7)), "NO_RESULT"),
        (Observations(final_result=FINAL, exit=exited(signal=signal.SIGSEGV)), "CRASHED"),
        (Observations(exit=exited(signal=signal.SIGXCPU, cpu_seconds=10.2)), "CPU_LIMIT"),
        (Observations(exit=exited(signal=signal.SIGKILL, cpu_seconds=11.0)), "CPU_LIMIT"),
        (Observations(exit=exited(signal=signal.SIGXCPU, cpu_seconds=9.8)), "CPU_LIMIT"),
        (Observations(exit=exited(signal=signal.SIGXCPU, cpu_seconds=8.8)), "CRASHED"),
        (Observations(exit=exited(signal=signal.SIGKILL)), "CRASHED"),
        (Observations(exit=None), "EXECUTOR_LOST"),
    ],
)
def test_anything_else_is_failed_with_its_reason(seen, reason):
    ended = judge(seen, LIMITS)
    assert ended.state == JOB_STATE_FAILED
    assert FailureReason.Name(ended.failure.reason) == f"FAILURE_REASON_{reason}"
    assert ended.failure.message


@pytest.mark.parametrize("reason", FailureReason.values())
def test_a_program_may_claim_only_the_reasons_that_are_its_own(reason):
    seen = Observations(reported=JobFailure(reason=reason, message="claimed"), exit=exited(1))
    failure = judge(seen, LIMITS).failure
    assert (failure.reason == reason) == (reason in CLAIMABLE_REASONS or reason == NO_RESULT)
    assert (failure.message == "claimed") == (reason in CLAIMABLE_REASONS - CLAIMED_LIMITS)


@pytest.mark.parametrize(
    ("claimed", "limit", "used"),
    [
        ("MEMORY_LIMIT", 1 << 26, 1),
        ("THREAD_LIMIT", 4, 4),
        ("SCRATCH_BYTES_LIMIT", 1 << 20, 1 << 20),
        ("SCRATCH_FILES_LIMIT", 16, 16),
        ("OPEN_FILES_LIMIT", 32, 32),
    ],
)
def test_numbers_of_a_claimed_limit_are_the_executors(claimed, limit, used):
    reason = FailureReason.Value(f"FAILURE_REASON_{claimed}")
    reported = JobFailure(reason=reason, message="lies", traceback="its own", limit=7, used=8, signal=9)
    failure = judge(Observations(reported=reported, exit=exited(1)), LIMITS).failure
    assert (failure.reason, failure.limit, failure.used) == (reason, limit, used)
    assert (failure.traceback, failure.HasField("signal")) == ("its own", False)
    assert re.search(rf"limit (is|of) {limit:,}\b", failure.message)


@pytest.mark.parametrize(
    ("end", "refused", "reason"),
    [
        ({"exit_code": 1}, 1, "THREAD_LIMIT"),
        ({"exit_code": 1}, 0, "NO_RESULT"),
        ({"exit_code": 1}, None, "NO_RESULT"),
        ({"exit_code": 0}, 1, "NO_RESULT"),
        ({"signal": signal.SIGABRT}, 1, "THREAD_LIMIT"),
        ({"signal": signal.SIGABRT}, 0, "CRASHED"),
        ({"signal": signal.SIGSEGV}, 1, "CRASHED"),
    ],
)
def test_library_that_ends_the_program_for_want_of_a_thread_is_at_that_limit(end, refused, reason):
    ways = {"exit_code": None, "signal": None, **end}
    exit_ = CellExit(**ways, cpu_seconds=0.1, peak_memory_bytes=1, refused_threads=refused)
    failure = judge(Observations(exit=exit_), LIMITS).failure
    assert FailureReason.Name(failure.reason) == f"FAILURE_REASON_{reason}"


RUST = b"\nmemory allocation of 320000000 bytes failed\n"
CPP = b"terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"
STD_THREAD = (
    b"terminate called after throwing an instance of 'std::system_error'\n"
    b"  what():  Resource temporarily unavailable\n"
)
OPENMP = b"\nlibgomp: Thread creation failed: Resource temporarily unavailable\n"


@pytest.mark.parametrize(
    ("words", "end", "refused", "reason"),
    [
        (RUST, {"signal": signal.SIGABRT}, None, "MEMORY_LIMIT"),
        (RUST, {"signal": signal.SIGABRT}, 3, "MEMORY_LIMIT"),
        (CPP, {"signal": signal.SIGABRT}, 0, "MEMORY_LIMIT"),
        (RUST, {"signal": signal.SIGSEGV}, None, "CRASHED"),
        (RUST, {"exit_code": 1}, None, "NO_RESULT"),
        (STD_THREAD, {"signal": signal.SIGABRT}, None, "THREAD_LIMIT"),
        (STD_THREAD, {"signal": signal.SIGABRT}, 0, "MEMORY_LIMIT"),
        (OPENMP, {"exit_code": 1}, None, "THREAD_LIMIT"),
        (OPENMP, {"exit_code": 1}, 0, "MEMORY_LIMIT"),
        (OPENMP, {"exit_code": 0}, None, "NO_RESULT"),
        (RUST + b"." * 4096, {"signal": signal.SIGABRT}, None, "CRASHED"),
        (b"some trouble", {"signal": signal.SIGABRT}, None, "CRASHED"),
    ],
)
def test_library_that_says_why_it_ends_the_program_is_at_that_limit(words, end, refused, reason):
    heard = LastWords()
    for byte in words:
        heard.hear(bytes([byte]))
    ways = {"exit_code": None, "signal": None, **end}
    exit_ = CellExit(**ways, cpu_seconds=0.1, peak_memory_bytes=1, refused_threads=refused)
    failure = judge(Observations(exit=exit_, last_words_limit=heard.limit()), LIMITS).failure
    assert FailureReason.Name(failure.reason) == f"FAILURE_REASON_{reason}"


@pytest.mark.parametrize(
    ("number", "scratch_full", "reason"),
    [
        (signal.SIGXFSZ, False, "SCRATCH_BYTES_LIMIT"),
        (signal.SIGBUS, True, "SCRATCH_BYTES_LIMIT"),
        (signal.SIGBUS, False, "CRASHED"),
        (signal.SIGSEGV, True, "CRASHED"),
    ],
)
def test_program_that_the_kernel_ended_for_its_scratch_is_at_that_limit(number, scratch_full, reason):
    exit_ = CellExit(None, number, 0.1, 1, scratch_full=scratch_full)
    failure = judge(Observations(exit=exit_), LIMITS).failure
    assert FailureReason.Name(failure.reason) == f"FAILURE_REASON_{reason}"


def test_thread_that_no_count_refused_had_no_memory_for_its_stack():
    reported = JobFailure(reason=FailureReason.FAILURE_REASON_THREAD_LIMIT)
    exit_ = CellExit(1, None, 0.1, 5000, refused_threads=0)
    failure = judge(Observations(reported=reported, exit=exit_), LIMITS).failure
    assert (failure.reason, failure.used) == (FailureReason.FAILURE_REASON_MEMORY_LIMIT, 5000)


def test_program_that_the_kernel_ended_for_its_memory_is_at_its_limit():
    ended = judge(Observations(exit=CellExit(None, signal.SIGKILL, 0.1, 1 << 30, out_of_memory=True)), LIMITS)
    assert ended.failure.reason == FailureReason.FAILURE_REASON_MEMORY_LIMIT
    assert ended.failure.used == 1 << 30


def test_what_the_supervisor_killed_for_beats_what_the_program_wrote():
    killed = JobFailure(reason=FailureReason.FAILURE_REASON_TIME_LIMIT)
    seen = Observations(killed_for=killed, final_result=FINAL, exit=exited(0))
    assert judge(seen, LIMITS).failure == killed


ENDS = (
    {"exit": exited(0), "final_result": FINAL},
    {"exit": exited(1), "reported": JobFailure(reason=FailureReason.FAILURE_REASON_PROGRAM_ERROR)},
)


@pytest.mark.parametrize(
    "seen",
    [
        *ENDS,
        {"exit": exited(0)},
        {"exit": exited(signal=signal.SIGINT)},
        {"exit": exited(signal=signal.SIGSEGV)},
        {"exit": exited(signal=signal.SIGKILL), "final_result": FINAL, "finished_first": True},
        {},
    ],
)
def test_cancelled_program_is_cancelled_however_it_takes_it(seen):
    ended = judge(Observations(cancelled=True, **seen), LIMITS)
    assert ended.state == JOB_STATE_CANCELLED
    assert not ended.HasField("failure")


def test_program_whose_last_frame_came_before_it_was_cancelled_has_its_own_end():
    states = [judge(Observations(cancelled=True, finished_first=True, **seen), LIMITS).state for seen in ENDS]
    assert states == [JOB_STATE_COMPLETED, JOB_STATE_FAILED]


def test_program_that_the_kernel_ended_for_its_memory_hit_that_limit():
    exit_ = CellExit(None, signal.SIGKILL, 1.0, 300, out_of_memory=True)
    ended = judge(Observations(exit=exit_), LIMITS)
    assert (ended.failure.reason, ended.failure.used) == (FailureReason.FAILURE_REASON_MEMORY_LIMIT, 300)
