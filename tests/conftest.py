"""Fixtures that start the real thing: servers as processes, under the uids that they have in production."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from aerlock.cli.unprivileged import EXECUTOR_GID, EXECUTOR_UID, command_as
from aerlock.local_runtime import LocalRuntime, running_locally

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("aerlock", deadline=None)
hypothesis.settings.load_profile("aerlock")


@pytest.fixture
def make_stack() -> Iterator[Callable[..., LocalRuntime]]:
    """Starts a stack of the test's own, with settings as environment variables."""
    with contextlib.ExitStack() as stacks:
        yield lambda **settings: stacks.enter_context(running_locally(settings))


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalRuntime]:
    """The stack that tests share which leave it as they found it."""
    with running_locally({"AERLOCK_EXECUTOR_SLOTS": "4"}) as stack:
        yield stack


@pytest.fixture
def service(stack):
    """A client of the shared stack."""
    from aerlock import RuntimeService

    with RuntimeService(address=stack.address, token=stack.token) as service:
        yield service


@pytest.fixture
def unprivileged_folder() -> Iterator[Path]:
    """A folder of the executor's uid, with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="aerlock-") as name:
        if os.geteuid() == 0:
            os.chown(name, EXECUTOR_UID, EXECUTOR_GID)
        yield Path(name)


@pytest.fixture
def unprivileged_command() -> Callable[..., list[str]]:
    """Makes the command line that runs this Python as the executor's uid."""

    def command(*arguments: str, writable: tuple[Path, ...] = ()) -> list[str]:
        return command_as(EXECUTOR_UID, [sys.executable, *arguments], writable, own_cgroup=True)

    return command


@pytest.fixture
def unprivileged_python(unprivileged_command) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs this Python as the executor's uid and returns how it ended."""

    def run(
        *arguments: str, writable: tuple[Path, ...] = (), **options: object
    ) -> subprocess.CompletedProcess[str]:
        command = unprivileged_command(*arguments, writable=writable)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, **options)

    return run
