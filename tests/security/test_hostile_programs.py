"""Every hostile program, run as a real job of an ordinary account, and what is left after it."""

import os
import platform
from concurrent.futures import ThreadPoolExecutor

import pytest
from security.arena import (
    ATTACKERS,
    LOG_BYTES,
    MEBIBYTE,
    MEMORY_BYTES,
    PROGRAMS,
    RESULT_BYTES,
    SCRATCH_BYTES,
    Arena,
)
from security.expectations import ANY, EXPECTATIONS, Expectation

from aerlock.codec import from_value
from aerlock.v1.jobs_pb2 import FailureReason, JobEvent, JobState

# What a job may have in its log, whatever it does.
MOST_WARNINGS = 20
LONGEST_WARNING, LONGEST_MESSAGE, LONGEST_TRACEBACK = 500, 4096, 32768
# Without control groups; see SECURITY.md.
MEMORY_SLACK = 256 * MEBIBYTE
LATEST_END = 30.0
"""Seconds from the end of a job's time to the end of its cell, where the machine has other work to do too."""


def groups() -> dict[str, list[str]]:
    """The programs that attack this kind of machine, by the first word of their names."""
    found: dict[str, list[str]] = {}
    for name, expected in EXPECTATIONS.items():
        if expected.machine in ("", platform.machine()):
            found.setdefault(name.split("_")[0], []).append(name)
    return found


def test_every_program_has_an_expectation_and_the_other_way_round():
    assert {path.stem for path in PROGRAMS.glob("*.py")} == set(EXPECTATIONS)


@pytest.mark.parametrize("group", groups())
def test_hostile_programs_are_contained(arena, contained, group):
    """The programs of a group run side by side, and canaries beside them, one after the other."""
    wrong = []

    def attack(name: str) -> None:
        try:
            run(arena, name, EXPECTATIONS[name])
        except Exception as error:  # of another thread: it is told below
            wrong.append(f"{name}: {type(error).__name__}: {error}")

    with contained():
        with ThreadPoolExecutor(ATTACKERS) as pool:
            list(pool.map(attack, groups()[group]))
        assert not wrong, "\n".join(wrong)


def run(arena: Arena, name: str, expected: Expectation) -> None:
    """Runs one program as often as it wants and checks what came of it."""
    program_id = arena.upload(name, expected.seconds)
    drawn = []
    for _ in range(expected.runs):
        job = arena.attacker.start(program_id, {"places": arena.places})
        if expected.cancel:
            job.stream_results(lambda job_id, _, job=job: job.cancel())
        check_outcome(arena.attacker.events(job.job_id()), expected)
        if not expected.repeats:
            drawn += job.result(timeout=60).items()
    assert len(set(drawn)) == len(drawn)


def check_outcome(events: list[JobEvent], expected: Expectation) -> None:
    """The state and reason are as expected, and the log is dense and ends with its one terminal event."""
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    changes = [event.state_change for event in events if event.HasField("state_change")]
    states = [JobState.Name(change.state).removeprefix("JOB_STATE_") for change in changes]
    assert states[:-1] == ["QUEUED", "RUNNING", *(["CANCELLING"] if expected.cancel else [])]
    assert events[-1].state_change == changes[-1]
    failure = changes[-1].failure
    assert states[-1] == expected.state or (states[-1] == "FAILED" and expected.reasons), failure
    if states[-1] == "FAILED":
        assert FailureReason.Name(failure.reason).removeprefix("FAILURE_REASON_") in expected.reasons, failure
        assert expected.signal in (None, failure.signal), failure
        assert expected.message in failure.message
    finals = [event.final_result for event in events if event.HasField("final_result")]
    assert len(finals) == (1 if states[-1] == "COMPLETED" else 0)
    if finals and expected.result is not ANY:
        assert from_value(finals[0]) == expected.result, from_value(finals[0])
    check_bounds(events, expected.seconds)


def check_bounds(events: list[JobEvent], seconds: float) -> None:
    """What a job may leave in its log is bounded, and what it has used was measured, not said."""
    kept = sum(len(event.log_output.data) for event in events)
    results = sum(event.ByteSize() for event in events if event.HasField("interim_result"))
    assert kept <= LOG_BYTES
    assert results <= RESULT_BYTES
    assert sum(event.log_output.dropped_bytes > 0 for event in events) <= 1
    warnings = [event.warning for event in events if event.HasField("warning")]
    assert len(warnings) <= MOST_WARNINGS
    assert max((len(warning.message) for warning in warnings), default=0) <= LONGEST_WARNING
    failure = events[-1].state_change.failure
    assert len(failure.message) <= LONGEST_MESSAGE
    assert len(failure.traceback) <= LONGEST_TRACEBACK
    usage = events[-1].state_change.usage
    wall = usage.wall_time.ToTimedelta().total_seconds()
    assert 0 < wall < seconds + LATEST_END
    assert 0 < usage.cpu_time.ToTimedelta().total_seconds() <= (wall + 1) * (os.cpu_count() or 1)
    # 0 where the program fits into what its cell had freed by then.
    assert 0 <= usage.peak_memory_bytes <= MEMORY_BYTES + SCRATCH_BYTES + MEMORY_SLACK
    assert kept <= usage.output_bytes
