"""Fair scheduling: any mix of accounts, jobs and limits, on the real tables."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerlock_gateway.core.limits import JobLimits
from aerlock_gateway.core.scheduler import Placement, Scheduler
from aerlock_gateway.store import accounts, jobs, queue
from aerlock_gateway.store.schema import migrate

QUEUED, RUNNING, COMPLETED = 1, 2, 4
OWNERS = ("ada", "bob", "cy", "dee")


class World:
    """A queue without an executor: jobs end when a test says so."""

    def __init__(self, connection: sqlite3.Connection, slots: int, limits: dict[str, int] | None = None):
        self.connection = connection
        self.limits = {owner: (limits or {}).get(owner, 1000) for owner in OWNERS}
        for owner, limit in self.limits.items():
            accounts.insert(connection, accounts.AccountRow(owner, "author", False, None, limit, 0))
        self.scheduler = Scheduler(JobLimits(1000, 1000, 1000))
        self.scheduler.placement = Placement(slots, "full")
        self.started: list[jobs.Head] = []
        self.count = 0

    def submit(self, owner: str) -> jobs.Head:
        self.count += 1
        new = jobs.NewJob(f"job{self.count}", owner, "program", 1, "aer_simulator", b"", (), b"")
        head = jobs.insert(self.connection, new, queue.next_turn(self.connection, owner), self.count)
        self._set(head, QUEUED)
        self.start()
        return head

    def end(self, head: jobs.Head) -> None:
        self._set(head, COMPLETED)
        self.start()

    def start(self) -> list[jobs.Head]:
        chosen = self.scheduler.choose(self.connection)
        for head in chosen:
            self._set(head, RUNNING)
        self.started += chosen
        return chosen

    def of(self, state: int, owner: str | None = None) -> list[jobs.Head]:
        rows = self.connection.execute("SELECT id, owner FROM jobs WHERE state = ? ORDER BY id", (state,))
        return [
            jobs.find_head(self.connection, job) for job, name in rows.fetchall() if owner in (None, name)
        ]

    def _set(self, head: jobs.Head, state: int) -> None:
        head.state = state
        jobs.set_state(self.connection, head)


@pytest.fixture(scope="module")
def template():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        yield connection


def opened(template) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    template.backup(connection)
    return connection


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.sampled_from(OWNERS), st.integers(1, 12)),
        st.tuples(st.just("end"), st.integers(0, 30), st.integers(1, 4)),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(
    steps=STEPS,
    slots=st.integers(1, 5),
    limits=st.dictionaries(st.sampled_from(OWNERS), st.integers(0, 3)),
)
def test_no_slot_is_idle_and_no_account_passed_over(template, steps, slots, limits):
    with closing(opened(template)) as connection:
        world = World(connection, slots, limits)
        for kind, who, count in steps:
            for _ in range(count):
                if kind == "submit":
                    world.submit(who)
                elif running := world.of(RUNNING):
                    world.end(running[who % len(running)])
                check(world, slots)


def check(world: World, slots: int) -> None:
    running = {owner: len(world.of(RUNNING, owner)) for owner in OWNERS}
    assert sum(running.values()) <= slots
    may_run = {owner for owner in OWNERS if world.of(QUEUED, owner) and running[owner] < world.limits[owner]}
    if may_run:
        assert sum(running.values()) == slots, "a slot is idle while a job may run"
    by_owner = {owner: [head.id for head in world.started if head.owner == owner] for owner in OWNERS}
    assert all(ids == sorted(ids) for ids in by_owner.values()), "jobs of an account start in their order"


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, slots=st.integers(1, 5), victim=st.sampled_from(OWNERS), rounds=st.integers(5, 30))
def test_account_that_runs_nothing_waits_for_few_jobs_of_each_other(template, steps, slots, victim, rounds):
    with closing(opened(template)) as connection:
        world = World(connection, slots)
        for kind, who, count in steps:
            for _ in range(count):
                if kind == "submit" and who != victim:
                    world.submit(who)
                elif kind == "end" and (running := world.of(RUNNING)):
                    world.end(running[who % len(running)])
        waiting = world.submit(victim)
        overtaking = len(world.started)
        for number in range(rounds):
            if waiting.id in {head.id for head in world.started}:
                break
            for owner in OWNERS:
                if owner != victim:
                    world.submit(owner)
            running = world.of(RUNNING)
            world.end(running[number % len(running)])
        position = next((n for n, head in enumerate(world.started) if head.id == waiting.id), None)
        assert position is not None, "starved"
        before = [head.owner for head in world.started[overtaking:position]]
        assert all(before.count(owner) <= 2 for owner in OWNERS)


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, slots=st.integers(1, 5))
def test_position_is_how_many_start_before_where_none_ends_and_none_comes(template, steps, slots):
    with closing(opened(template)) as connection:
        world = World(connection, slots)
        for kind, who, count in steps:
            for _ in range(count):
                if kind == "submit":
                    world.submit(who)
                elif running := world.of(RUNNING):
                    world.end(running[who % len(running)])
        positions = queue.positions(connection)
        world.scheduler.placement = Placement(10_000, "full")
        assert [head.id for head in world.start()] == sorted(positions, key=positions.get)
        assert sorted(positions.values()) == list(range(len(positions)))


def test_accounts_take_turns_on_a_single_slot(template):
    with closing(opened(template)) as connection:
        world = World(connection, 1)
        for owner in ["ada"] * 5 + ["bob"] * 3 + ["cy"]:
            world.submit(owner)
        while running := world.of(RUNNING):
            world.end(running[0])
        assert "".join(head.owner[0] for head in world.started) == "abcababaa"


def test_choosing_takes_time_by_accounts_and_not_by_jobs(template):
    def steps_of_choosing(count: int) -> int:
        with closing(opened(template)) as connection:
            world = World(connection, 1)
            connection.execute("BEGIN")
            for number in range(count):
                world.submit(OWNERS[number % len(OWNERS)])
            steps = []
            world._set(world.of(RUNNING)[0], COMPLETED)
            connection.set_progress_handler(lambda: steps.append(1), 10)
            assert len(world.scheduler.choose(connection)) == 1
            connection.set_progress_handler(None, 0)
            return len(steps)

    assert steps_of_choosing(1000) < 1.5 * steps_of_choosing(100)
