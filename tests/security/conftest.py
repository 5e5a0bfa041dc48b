"""One runtime for all attacks: what one of them breaks, the next ones would see."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from security.arena import SETTINGS, Arena

from aerlock.local_runtime import running_locally


@pytest.fixture(scope="session")
def arena() -> Iterator[Arena]:
    with running_locally(SETTINGS) as runtime, ExitStack() as stack:
        yield Arena(runtime, stack)
