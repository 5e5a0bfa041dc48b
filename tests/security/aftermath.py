"""What must hold beside an attack and after it: canaries on time, and nothing left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from operator import le, sub

from security.arena import MEBIBYTE, Arena
from security.traces import Size

# Beside as many spinning jobs as there are slots a canary gets its share of the cores; the machine of a
# test has other work to do too.
LATE = 25
# What allocators and caches may keep of the largest job, connections of those who called, pools of threads.
MOST_GROWTH = {
    "gateway": Size(128 * MEBIBYTE, 16, 16),
    "supervisor": Size(96 * MEBIBYTE, 16, 16),
    "zygote": Size(4 * MEBIBYTE, 0, 0),
}


class Aftermath:
    """Compares with how it was when this was made: when the servers had worked a little, undisturbed."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        # With a cell of the pool and without one: the slowest of some.
        self._undisturbed = max(arena.run_canary() for _ in range(5))
        self._sizes = arena.settled_sizes()

    @contextmanager
    def contained(self) -> Iterator[None]:
        """Runs canaries beside the block and one after it, and checks that nothing of it is left."""
        before = self._arena.settled_traces()
        with self._arena.canaries() as beside:
            yield
        after = self._arena.run_canary()
        self._arena.check_traces(before)
        assert max(*beside, after) <= LATE * self._undisturbed
        for name, size in self._arena.settled_sizes().items():
            growth = tuple(map(sub, astuple(size), astuple(self._sizes[name])))
            assert all(map(le, growth, astuple(MOST_GROWTH[name]))), f"{name} has grown by {growth}"
