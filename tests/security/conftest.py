"""One runtime for all attacks: what one of them breaks, the next ones would see."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
from security.aftermath import Aftermath
from security.arena import SETTINGS, Arena

from aerlock.local_runtime import running_locally


@pytest.fixture(scope="session")
def arena() -> Iterator[Arena]:
    with running_locally(SETTINGS) as runtime, ExitStack() as stack:
        yield Arena(runtime, stack)


@pytest.fixture(scope="module")
def contained(arena) -> Callable[[], AbstractContextManager[None]]:
    """Makes a block that may do its worst; at its end all must be as when the module began."""
    return Aftermath(arena).contained
