"""Every hostile program, run as a real job of an ordinary account, and what is left after it."""

import platform
from concurrent.futures import ThreadPoolExecutor

import pytest
from security.arena import ATTACKERS, MEBIBYTE, PROGRAMS, Arena
from security.expectations import ANY, EXPECTATIONS, Expectation

from aerlock.codec import from_value
from aerlock.v1.jobs_pb2 import FailureReason, JobEvent, JobState

# Beside as many spinning jobs as there are slots a canary gets its share of the cores; the machine of a
# test has other work to do too.
LATE = 25
# What allocators and caches may keep of the largest job.
MOST_GROWTH = {"supervisor": 96 * MEBIBYTE, "zygote": 4 * MEBIBYTE}


@pytest.fixture(scope="module")
def undisturbed(arena) -> float:
    """Seconds of a canary on its own, with a cell of the pool and without one: the slowest of some."""
    return max(arena.run_canary() for _ in range(5))


@pytest.fixture(scope="module")
def sizes(arena, undisturbed) -> dict[str, int]:
    """Memory of the servers when they have worked a little."""
    return {name: arena.server(name).memory_info().rss for name in MOST_GROWTH}


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
def test_hostile_programs_are_contained(arena, undisturbed, sizes, group):
    """The programs of a group run side by side, and canaries beside them, one after the other."""
    before = arena.settled_traces()
    wrong = []

    def attack(name: str) -> None:
        try:
            run(arena, name, EXPECTATIONS[name])
        except Exception as error:  # of another thread: it is told below
            wrong.append(f"{name}: {type(error).__name__}: {error}")

    with arena.canaries() as beside, ThreadPoolExecutor(ATTACKERS) as pool:
        list(pool.map(attack, groups()[group]))
    after = arena.run_canary()

    assert not wrong, "\n".join(wrong)
    arena.check_traces(before)
    assert max(*beside, after) <= LATE * undisturbed
    for name, most in MOST_GROWTH.items():
        assert arena.server(name).memory_info().rss - sizes[name] <= most


def run(arena: Arena, name: str, expected: Expectation) -> None:
    """Runs one program as often as it wants and checks what came of it."""
    program_id = arena.upload(name, expected.seconds)
    drawn = []
    for _ in range(expected.runs):
        job = arena.attacker.start(program_id)
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
    assert states[-1] == expected.state, failure
    reason = FailureReason.Name(failure.reason).removeprefix("FAILURE_REASON_")
    if expected.reasons:
        assert reason in expected.reasons, failure
    if expected.signal is not None:
        assert failure.signal == expected.signal
    assert expected.message in failure.message
    finals = [event.final_result for event in events if event.HasField("final_result")]
    assert len(finals) == (1 if expected.state == "COMPLETED" else 0)
    if finals and expected.result is not ANY:
        assert from_value(finals[0]) == expected.result, from_value(finals[0])
