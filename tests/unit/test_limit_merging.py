"""Of several limits the smallest counts, whatever they are; and no fair rate of results is refused."""

import math
import os
from dataclasses import replace

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from aerlock.resource_limits import SMALLEST
from aerlock.resource_limits import ResourceLimits as Shown
from aerlock.v1.limits_pb2 import ResourceLimits
from aerlock_executor import limits
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.event_rate import RATE_SECONDS, EventRate
from aerlock_executor.settings import ExecutorSettings
from aerlock_executor.v1.executor_pb2 import TaskLimits
from aerlock_gateway.core.resource_limits import limit_violations, smallest

NAMES = (*SMALLEST, "cpu_time")


def number(name):
    """0, which is none, or what this limit may be."""
    return st.just(0) | st.integers(SMALLEST.get(name, 1), (1 << 31) - 1)


def message(fields):
    fields = dict(fields)
    cpu_time = Duration()
    cpu_time.FromNanoseconds(fields.pop("cpu_time", 0))
    return ResourceLimits(**fields, cpu_time=cpu_time if cpu_time.ToNanoseconds() else None)


def numbers(one):
    return {**{name: getattr(one, name) for name in SMALLEST}, "cpu_time": one.cpu_time.ToNanoseconds()}


MESSAGES = st.fixed_dictionaries({}, optional={name: number(name) for name in NAMES}).map(message)
WHATEVER = st.fixed_dictionaries(
    {}, optional={name: st.integers(-(1 << 31), (1 << 31) - 1) for name in SMALLEST}
).map(lambda fields: ResourceLimits(**fields))


@given(st.lists(MESSAGES, min_size=1, max_size=4))
def test_smallest_of_each_limit_is_the_smallest_that_is_set(several):
    merged = numbers(smallest(*several))
    for name in NAMES:
        set_ones = [numbers(one)[name] for one in several if numbers(one)[name]]
        assert merged[name] == min(set_ones, default=0)


@given(MESSAGES, MESSAGES, MESSAGES)
def test_merging_does_not_depend_on_order_or_nesting(one, another, third):
    merged = smallest(one, another, third)
    assert merged == smallest(third, one, another) == smallest(smallest(one, another), third)
    assert smallest(merged, merged) == merged
    assert not list(limit_violations(merged, "limits"))


@given(MESSAGES)
def test_client_keeps_every_limit(one):
    assert Shown.from_message(one).to_message() == smallest(one)


@given(WHATEVER)
def test_gateway_and_client_refuse_the_same_limits(one):
    wrong = {violation.field for violation in limit_violations(one, "limits")}
    assert wrong == {f"limits.{name}" for name in SMALLEST if 0 != getattr(one, name) < SMALLEST[name]}


@given(MESSAGES, st.integers(0, 10**6))
def test_executor_applies_what_is_smaller_of_its_own_and_what_is_asked(asked, own_rate):
    settings = ExecutorSettings(events_per_second=own_rate, cpu_seconds=77)
    applied = limits.limits_of(settings, TaskLimits(resources=asked))
    own = numbers(limits.to_message(settings))
    for name in ("memory_bytes", "threads", "scratch_bytes", "scratch_files", "open_files"):
        assert getattr(applied.cell, name) == min(own[name], getattr(asked, name) or own[name])
    assert applied.result_bytes == min(own["result_bytes"], asked.result_bytes or own["result_bytes"])
    assert applied.log_bytes == min(own["log_bytes"], asked.log_bytes or own["log_bytes"])
    assert applied.events_per_second == min(own_rate or math.inf, asked.events_per_second or math.inf)
    assert applied.cpu_seconds == min(77, math.ceil(asked.cpu_time.ToNanoseconds() / 1e9) or 77)


RATES = st.integers(1, 1000)
STEPS = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 2000)), min_size=1, max_size=40)


@given(RATES, STEPS)
def test_results_are_refused_once_some_time_had_more_than_its_rate_and_five_seconds_worth(rate, steps):
    now, batches = 100.0, []
    bucket = EventRate(rate, now)
    for pause, results in steps:
        now += pause
        batches.append((now, results))
        failure = bucket.count(results, now)
        excess = max(
            sum(count for _, count in batches[start:]) - rate * (now - begin + RATE_SECONDS)
            for start, (begin, _) in enumerate(batches)
        )
        if abs(excess) > 1e-3:
            assert (failure is not None) == (excess > 0)
        if failure:
            assert failure.used > failure.limit == rate
            return


@pytest.mark.parametrize(
    ("steps", "used", "sentence"),
    [
        ([(0.0, 11)], 2.2, "11 interim results within 5.0 s, 2.20 a second; the limit is 2 a second, and 10"),
        ([(0.0, 10), (4.0, 8), (8.0, 10)], 3.5, "28 interim results within 8.0 s, 3.50 a second; the"),
        ([(9.0, 1), (60.0, 12)], 2.4, "12 interim results within 5.0 s, 2.40 a second; the limit is 2"),
    ],
)
def test_rate_that_was_too_high_is_told_in_results_a_second(steps, used, sentence):
    bucket = EventRate(2, 0.0)
    *_, failure = [bucket.count(results, now) for now, results in steps]
    assert failure.used == pytest.approx(used)
    assert sentence in failure.message


@given(st.integers(1, 1 << 30), st.floats(0, 1))
def test_any_rate_is_allowed_where_there_is_no_limit(results, pause):
    bucket = EventRate(math.inf, 0.0)
    assert bucket.count(results, 0.0) is None
    assert bucket.count(results, pause) is None


MADE = CellLimits(
    memory_bytes=1 << 31, scratch_bytes=1 << 28, scratch_files=16_384, threads=128, open_files=256
)


@pytest.mark.parametrize(
    ("lower", "fits"),
    [
        ({}, True),
        ({"memory_bytes": 1 << 26, "open_files": 32}, True),
        ({"threads": 4 * (os.cpu_count() or 1)}, True),
        ({"threads": 4}, os.cpu_count() == 1),
        ({"scratch_bytes": 1 << 20}, False),
        ({"scratch_files": 16}, False),
    ],
)
def test_cell_of_the_pool_takes_on_what_can_still_be_lowered(lower, fits):
    assert replace(MADE, **lower).fit(MADE) == fits
