"""What an executor and its jobs leave behind: processes, mounts, groups, descriptors, files, memory."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import psutil

from aerlock.cgroup_hierarchies import DELEGATED, own_hierarchies
from aerlock.cli.unprivileged import EXECUTOR_UID
from aerlock.local_runtime import LocalRuntime

# Those of gRPC and its event loops come and go with whoever calls.
_OF_CALLS = ("socket", "anon_inode:[eventpoll]", "anon_inode:[eventfd]")


@dataclass(frozen=True)
class Traces:
    """What may not change by whatever a job does, once it has ended."""

    servers: dict[str, int]
    mounts: dict[str, tuple[str, ...]]
    groups: tuple[str, ...]
    descriptors: dict[str, tuple[str, ...]]
    files: tuple[str, ...]
    shared_memory: int
    unreaped: tuple[str, ...]


@dataclass(frozen=True)
class Size:
    """What a server may hold more of when it has worked, within bounds; ``memory`` is in bytes."""

    memory: int
    descriptors: int
    threads: int


def find_servers(pid: int) -> dict[str, psutil.Process]:
    """Every process below ``aerlock up`` that lasts, by what it is."""
    top = psutil.Process(pid)
    found = {"up": top}
    for process in top.children():
        module = next((word for word in process.cmdline() if word.startswith("aerlock_")), "another")
        found["gateway" if module == "aerlock_gateway" else "supervisor"] = process
    (found["bubblewrap"],) = found["supervisor"].children()
    (found["init"],) = found["bubblewrap"].children()
    (found["zygote"],) = found["init"].children()
    return found


def traces(runtime: LocalRuntime) -> Traces:
    """What there is now; warm cells of the zygote are left out."""
    servers = find_servers(runtime.pid)
    below = {process.pid: process for process in servers["up"].children(recursive=True)}
    cells = {process.pid for process in servers["zygote"].children(recursive=True)}
    others = below.keys() - cells - {process.pid for process in servers.values()}
    pids = {name: process.pid for name, process in servers.items()}
    return Traces(
        servers=pids,
        mounts={name: _lines(f"/proc/{pids[name]}/mounts") for name in ("up", "supervisor", "zygote")},
        groups=_cell_groups(pids["supervisor"]),
        descriptors={
            "supervisor": _descriptors(pids["supervisor"], _OF_CALLS),
            "zygote": _descriptors(pids["zygote"]),
        },
        files=tuple(sorted(_files(runtime.data_dir, servers["supervisor"].uids().real))),
        shared_memory=sum(len(_lines(f"/proc/sysvipc/{kind}")) for kind in ("shm", "msg", "sem")),
        unreaped=tuple(str(below[pid]) for pid in others),
    )


def differences(before: Traces, after: Traces) -> Iterator[str]:
    """What has changed, a line for each kind."""
    for field in fields(Traces):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            yield f"{field.name} before: {old}\n{field.name} after: {new}"


def size(process: psutil.Process) -> Size:
    """What a process holds now."""
    return Size(process.memory_info().rss, process.num_fds(), process.num_threads())


def _lines(path: str) -> tuple[str, ...]:
    return tuple(Path(path).read_text().splitlines())


def _cell_groups(pid: int) -> tuple[str, ...]:
    """The control groups of cells of an executor that no process is in; a warm cell is in its own."""
    places = {place for one in own_hierarchies() for place in (one.group, one.group / DELEGATED)}
    groups = [group for place in places for group in place.glob(f"cell-{pid}-*")]
    return tuple(sorted(str(group) for group in groups if not _lines(f"{group}/cgroup.procs")))


def _descriptors(pid: int, omitted: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What a process holds, by kind."""
    kinds = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(fd.readlink())
        except OSError:
            continue
        kind = target.split(":")[0] if target.startswith(("pipe:", "socket:")) else target
        if kind not in omitted:
            kinds.append(kind)
    return tuple(sorted(kinds))


def _files(data_dir: Path, uid: int) -> Iterator[str]:
    """Spools, pins and unfinished blobs, and what an executor's uid has where everyone may write."""
    yield from map(str, data_dir.glob("executor/spool/*"))
    yield from map(str, data_dir.rglob("draft-*"))
    for place in ("/tmp", "/dev/shm", "/var/tmp"):
        for path in Path(place).iterdir():
            try:
                ours = path.name.startswith("aerlock-")  # of a test, maybe of another one
                if not ours and path.lstat().st_uid == uid == EXECUTOR_UID:
                    yield str(path)
            except FileNotFoundError:
                continue
