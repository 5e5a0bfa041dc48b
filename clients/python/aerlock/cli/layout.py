"""Where ``aerlock up`` keeps things, and who may enter."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aerlock.cli.unprivileged import EXECUTOR_UID, GATEWAY_GID, GATEWAY_UID


@dataclass(frozen=True)
class Layout:
    """The directories of one installation: each server's own, and those of the sockets."""

    data_dir: Path
    runtime_dir: Path

    @classmethod
    def choose(cls, data_dir: Path | None, runtime_dir: Path | None) -> Self:
        """Fills in the defaults, which differ for root and for an ordinary user."""
        if data_dir is not None:
            data_dir = data_dir.absolute()
            return cls(data_dir, runtime_dir.absolute() if runtime_dir else data_dir / "run")
        if os.geteuid() == 0:
            return cls(Path("/var/lib/aerlock"), runtime_dir or Path("/run/aerlock"))
        data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
        data_dir = Path(data_home) / "aerlock"
        runtime_home = os.environ.get("XDG_RUNTIME_DIR")
        return cls(
            data_dir, runtime_dir or (Path(runtime_home) / "aerlock" if runtime_home else data_dir / "run")
        )

    @property
    def gateway_data(self) -> Path:
        """The gateway's own: the database."""
        return self.data_dir / "gateway"

    @property
    def executor_data(self) -> Path:
        """The executor's own: the spools."""
        return self.data_dir / "executor"

    @property
    def gateway_sockets(self) -> Path:
        """Where the gateway's socket and the file with its addresses are."""
        return self.runtime_dir / "gateway"

    @property
    def executor_sockets(self) -> Path:
        """Where the executor's socket is."""
        return self.runtime_dir / "executor"

    @property
    def gateway_socket(self) -> Path:
        """What clients on this machine dial."""
        return self.gateway_sockets / "gateway.sock"

    @property
    def executor_socket(self) -> Path:
        """What the gateway dials."""
        return self.executor_sockets / "executor.sock"

    @property
    def address_file(self) -> Path:
        """Where the gateway writes the addresses that it listens on."""
        return self.gateway_sockets / "addresses.json"

    def make(self) -> None:
        """Makes the directories, for the two uids where we are root.

        Raises:
            PermissionError: they cannot be made or given away.
        """
        root = os.geteuid() == 0
        for path in (self.data_dir, self.runtime_dir):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o750 if root else 0o700)
            if root:
                os.chown(path, 0, GATEWAY_GID)
        for path, uid, mode in (
            (self.gateway_data, GATEWAY_UID, 0o700),
            (self.executor_data, EXECUTOR_UID, 0o700),
            (self.gateway_sockets, GATEWAY_UID, 0o750),
            # The socket in there gets the directory's group: the gateway's, which dials it.
            (self.executor_sockets, EXECUTOR_UID, 0o2750),
        ):
            path.mkdir(exist_ok=True)
            if root:
                os.chown(path, uid, GATEWAY_GID)
            path.chmod(mode)
