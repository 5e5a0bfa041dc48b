"""The private file systems of one cell: scratch on /tmp and /dev/shm, its own /proc."""

import os
from pathlib import Path

from aerlock_executor.cell import linux

STAGE = "/stage"
"""An empty directory that the sandbox's root offers to assemble mounts in."""

DEVICES = ("null", "full", "random", "urandom")
"""What there is in /dev. Not zero: shared mappings of it are memory that no limit counts."""

_REMOUNT_READ_ONLY = linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | linux.MS_NOSUID
_PLAIN = linux.MS_NOSUID | linux.MS_NODEV


def mount_private(scratch_bytes: int, scratch_files: int, kept_roots: tuple[str, ...]) -> None:
    """Covers everything writable with file systems of this mount namespace alone.

    /tmp and /dev/shm share one tmpfs of ``scratch_bytes``, in which there is
    room for ``scratch_files``. ``kept_roots`` are read-only directories that a
    cell needs; those under a covered directory (an environment in a checkout
    below /tmp) are bound into the new one.
    Raises OSError.
    """
    linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    options = f"size={scratch_bytes},mode=0755"
    linux.mount("scratch", STAGE, "tmpfs", _PLAIN | linux.MS_NOEXEC, options)
    for target in (Path("/tmp"), Path("/dev/shm")):  # noqa: S108 - inside the sandbox
        _cover(target, Path(STAGE, target.name), kept_roots)
    _bound_files(scratch_files)
    linux.unmount(STAGE)
    for name in DEVICES:
        # They are inodes of the host: a job must not leave its mark in their times.
        linux.mount("none", f"/dev/{name}", "", _REMOUNT_READ_ONLY)
    _mount_proc()


def _cover(target: Path, source: Path, kept_roots: tuple[str, ...]) -> None:
    """Puts the directory ``source``, with what must stay visible below it, over ``target``."""
    source.mkdir(mode=0o700)
    for root in kept_roots:
        if target in Path(root).parents:
            inner = source / Path(root).relative_to(target)
            inner.mkdir(parents=True)
            linux.mount(root, str(inner), "", linux.MS_BIND | linux.MS_REC)
    linux.mount(str(source), str(target), "", linux.MS_BIND | linux.MS_REC)


def _bound_files(scratch_files: int) -> None:
    """Leaves room for so many files beside the directories that there are."""
    status = os.statvfs(STAGE)
    inodes = status.f_files - status.f_ffree + scratch_files
    linux.mount("none", STAGE, "", linux.MS_REMOUNT | _PLAIN | linux.MS_NOEXEC, f"nr_inodes={inodes}")


def _mount_proc() -> None:
    """Shows the cell's own processes and nothing else; an empty directory where that is refused."""
    flags = _PLAIN | linux.MS_NOEXEC | linux.MS_RDONLY
    try:
        linux.mount("proc", "/proc", "proc", flags, "subset=pid")
    except OSError:  # A container masks parts of /proc. Aer runs without it.
        linux.mount("none", "/proc", "tmpfs", flags, "size=0,nr_inodes=1")
