"""A gateway and an executor of one's own, as child processes: for a laptop, a notebook, a test."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aerlock.exceptions import AerlockError

if TYPE_CHECKING:
    from aerlock.service import RuntimeService

STOP_SECONDS = 60.0


class LocalRuntime:
    """``aerlock up`` as a child process on ``folder``; it needs the extra ``aerlock[server]``.

    ``settings`` are environment variables of the two servers, such as
    ``{"AERLOCK_EXECUTOR_SLOTS": "4"}``. What the servers print on stderr goes
    to the file ``stderr`` in the folder.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.credentials_file = folder / "credentials.json"
        self.address = ""
        self.tcp_address = ""
        self.token = ""
        self.announcement = ""
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a child process needs in its environment to find this runtime."""
        return {**os.environ, **self._settings, "AERLOCK_CREDENTIALS": str(self.credentials_file)}

    @property
    def stderr(self) -> str:
        """What the servers printed on stderr."""
        return (self.folder / "stderr").read_text()

    @property
    def pid(self) -> int | None:
        """The process id of ``aerlock up``; None while it does not run."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the servers and returns when they serve.

        Raises:
            AerlockError: they did not start; the text is what they said.
        """
        command = [sys.executable, "-m", "aerlock.cli", "up", "--listen", "127.0.0.1:0"]
        command += ["--data-dir", str(self.data_dir)]
        with (self.folder / "stderr").open("a") as stderr:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=self.environment,
                start_new_session=True,
            )
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        self.announcement = "".join(self._process.stdout.readline() for _ in range(3))
        if self.announcement.count("\n") < 3:
            self.stop()
            raise AerlockError(f"the servers did not start:\n{self.stderr}")
        credentials = json.loads(self.credentials_file.read_text())
        self.address, self.token = credentials["address"], credentials["token"]
        addresses = json.loads((self.data_dir / "run/gateway/addresses.json").read_text())
        self.tcp_address = next(address for address in addresses if not address.startswith("unix:"))

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Stops the servers and returns the exit status of ``aerlock up``; 0 where it does not run."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        with process:
            process.send_signal(signal_number)
            try:
                return process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


@contextlib.contextmanager
def running_locally(settings: Mapping[str, str] | None = None) -> Iterator[LocalRuntime]:
    """Runs a `LocalRuntime` in a temporary directory that is gone afterwards."""
    # The default temporary directory of a test may be too deep for a unix socket.
    with tempfile.TemporaryDirectory(prefix="aerlock-") as name:
        runtime = LocalRuntime(Path(name), settings)
        try:
            runtime.start()
            yield runtime
        finally:
            runtime.stop()


@contextlib.contextmanager
def local(settings: Mapping[str, str] | None = None) -> Iterator["RuntimeService"]:
    """Yields a service with servers of its own behind it, which end with the ``with`` block.

    Nothing of it is kept. It needs the extra ``aerlock[server]`` and Linux.

    Raises:
        AerlockError: the servers did not start; the text is what they said.
    """
    from aerlock.service import RuntimeService

    with (
        running_locally(settings) as runtime,
        RuntimeService(address=runtime.address, token=runtime.token) as service,
    ):
        yield service
