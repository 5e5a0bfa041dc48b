"""A short run of ``make load``."""

import asyncio

from load.load import Sizes, load


def test_small_load_loses_nothing_and_keeps_memory_flat():
    sizes = Sizes(jobs=4, watchers=20, events=2000, log_mb=4, rounds=2)
    tally = asyncio.run(load(sizes))
    assert (tally.jobs, tally.watchers) == (8, 40)
    assert tally.events > 2 * 20 / 4 * 2000
    assert tally.is_flat, str(tally)
