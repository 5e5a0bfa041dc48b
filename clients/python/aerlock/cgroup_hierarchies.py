"""The control groups that this process is in, and groups made ready for a server that is not root.

Version 1 mounts a hierarchy of groups for each controller, version 2 one for
all; a machine may have both (cgroups(7)).
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONTROLLERS: Final = frozenset({"memory", "pids", "cpu", "cpuacct"})
"""What cells are limited and measured by. Version 2 has cpuacct in its cpu."""

DELEGATED: Final = "aerlock-executor"
"""The name of the group that `delegate` makes in each hierarchy."""

_ATTEMPTS: Final = 3
_MOUNTS: Final = Path("/proc/self/mountinfo")
_OWN_GROUPS: Final = Path("/proc/self/cgroup")
# What the owner of a group may write beside the group's directory (cgroups(7), "delegation").
_OWNED_FILES: Final = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks")


@dataclass(frozen=True)
class Hierarchy:
    """One mounted hierarchy: its version, its controllers, and a group in it."""

    version: int
    controllers: frozenset[str]
    group: Path

    def enable(self) -> None:
        """Gives the controllers to groups below, as version 2 wants to be told; raises OSError."""
        if self.version == 2:
            names = " ".join(f"+{name}" for name in sorted(self.controllers))
            (self.group / "cgroup.subtree_control").write_text(names)


def own_hierarchies() -> Iterator[Hierarchy]:
    """Yields the hierarchies with a controller for cells and the group of this process; raises OSError."""
    own = dict(_read_own_groups())
    for line in _MOUNTS.read_text().splitlines():
        fields, _, source = line.partition(" - ")
        root, mounted = fields.split()[3:5]
        kind, _, options = source.split()
        names = next((names for names in own if names and names <= set(options.split(","))), frozenset())
        if kind not in ("cgroup", "cgroup2") or (kind == "cgroup" and not names):
            continue
        path = own.get(names if kind == "cgroup" else frozenset())
        if path is None or not Path(path).is_relative_to(root):
            continue
        group = Path(mounted) / Path(path).relative_to(root)
        version, names = (1, names) if kind == "cgroup" else (2, _available(group))
        if controllers := names & CONTROLLERS:
            yield Hierarchy(version, controllers, group)


def delegate(uid: int, gid: int) -> None:
    """Puts this process into groups of its own, in which ``uid`` may make more; does what it can.

    To be called as root. The hierarchies that refuse are left out.
    """
    with suppress(OSError):
        for hierarchy in own_hierarchies():
            # Another server that ends may remove the group before this process is in it.
            for _ in range(_ATTEMPTS):
                with suppress(OSError):
                    _delegate(hierarchy, uid, gid)
                    break


def remove_delegated() -> None:
    """Removes the groups that `delegate` made here, unless another server is in them.

    What cells have left in there stays for the next executor, which knows whose they are:
    an empty one may be that of a cell which is about to enter it.
    """
    with suppress(OSError):
        for hierarchy in own_hierarchies():
            with suppress(OSError):
                (hierarchy.group / DELEGATED).rmdir()


def _delegate(hierarchy: Hierarchy, uid: int, gid: int) -> None:
    hierarchy.enable()
    group = hierarchy.group / DELEGATED
    group.mkdir(exist_ok=True)
    os.chown(group, uid, gid)
    for name in _OWNED_FILES:
        if (group / name).exists():
            os.chown(group / name, uid, gid)
    (group / "cgroup.procs").write_text("0")


def _read_own_groups() -> Iterator[tuple[frozenset[str], str]]:
    """Yields the controllers of each hierarchy, none for version 2, with the path of this process's group."""
    for line in _OWN_GROUPS.read_text().splitlines():
        _, names, path = line.split(":", 2)
        yield frozenset(names.split(",") if names else ()), path


def _available(group: Path) -> frozenset[str]:
    """Returns the controllers of version 2 that groups below may have."""
    file = group / "cgroup.controllers"
    return frozenset(file.read_text().split()) if file.exists() else frozenset()
