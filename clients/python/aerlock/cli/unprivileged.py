"""Runs a command as an unprivileged uid when one starts as root: ``python -m aerlock.cli.unprivileged``.

The command sees the file system as it is, but for directories that only root
may enter: where one of them hides the interpreter, the packages or a directory
named by ``--reachable``, an empty directory covers it in a private mount
namespace and the needed paths are bound back at their own names. So a Python
under ``/root`` keeps working after the uid has changed.
"""

import argparse
import ctypes
import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from aerlock.cgroup_hierarchies import delegate

CLONE_NEWNS = 0x00020000

# Fixed, so that nothing has to be added to /etc/passwd; two of each, so that the
# executor cannot read the gateway's database, nor a key that its group may read.
GATEWAY_UID = GATEWAY_GID = 58401
EXECUTOR_UID = EXECUTOR_GID = 58402


def command_as(
    uid: int, command: Sequence[str], reachable: Iterable[Path], own_cgroup: bool = False
) -> list[str]:
    """Returns the command line that runs ``command`` under ``uid`` and its gid: itself where we are not root.

    With ``own_cgroup`` it starts in control groups in which it may make more, where there are any.
    """
    if os.geteuid() != 0:
        return list(command)
    prefix = [sys.executable, "-m", "aerlock.cli.unprivileged", "--uid", str(uid), "--gid", str(uid)]
    if own_cgroup:
        prefix.append("--own-cgroup")
    for path in reachable:
        prefix += ["--reachable", str(path)]
    return [*prefix, "--", *command]


def why_not_executed(path: str, error: OSError) -> str:
    """The end of a sentence about a program that cannot be executed, with the cure."""
    return (
        f"cannot execute {path}: {error.strerror}. Let the user execute it and enter each folder on the way"
        " to it, or install Python and Aerlock where the user may."
    )


def main() -> None:
    """Drops to the uid and gid given and replaces this process by the command."""
    parser = argparse.ArgumentParser(prog="aerlock.cli.unprivileged", description=__doc__)
    parser.add_argument("--uid", type=int, required=True)
    parser.add_argument("--gid", type=int, required=True)
    parser.add_argument(
        "--reachable", type=Path, action="append", default=[], metavar="PATH", help="keep PATH reachable"
    )
    parser.add_argument(
        "--own-cgroup", action="store_true", help="start in control groups that the uid may use"
    )
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    if arguments.uid == 0 or arguments.gid == 0:
        parser.error("--uid and --gid must not be 0")
    try:
        if arguments.own_cgroup:
            delegate(arguments.uid, arguments.gid)
        _uncover([*_import_roots(), *(path.resolve() for path in arguments.reachable)])
        os.setgroups([])
        os.setresgid(arguments.gid, arguments.gid, arguments.gid)
        os.setresuid(arguments.uid, arguments.uid, arguments.uid)
    except OSError as error:
        sys.exit(
            f"cannot drop from root to uid {arguments.uid}: {error}. Give this process CAP_SYS_ADMIN, "
            "CAP_SETUID and CAP_SETGID, or start Aerlock as an ordinary user."
        )
    if not os.access(Path.cwd(), os.X_OK):
        os.chdir("/")
    try:
        os.execvp(arguments.command[0], arguments.command)  # noqa: S606
    except OSError as error:
        sys.exit(f"uid {arguments.uid} {why_not_executed(arguments.command[0], error)}")


def _import_roots() -> list[Path]:
    """What this interpreter needs to start and import: itself, its environment, its sys.path."""
    places: list[str | Path] = [
        sys.base_prefix,
        sys.prefix,
        Path(sys.executable).resolve().parent.parent,
        *sys.path,
    ]
    roots = {Path(place).resolve() for place in places if place and Path(place).exists()}
    return sorted(root for root in roots if not any(parent in roots for parent in root.parents))


def _uncover(paths: list[Path]) -> None:
    """Makes ``paths`` reachable for everyone, in a mount namespace of this process alone."""
    closed = {path: ancestor for path in paths if (ancestor := _topmost_closed_ancestor(path))}
    if not closed:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "a private mount namespace was refused")
    _mount("--make-rprivate", "/")
    # Opened before they are covered: afterwards no path leads to them.
    handles = {path: os.open(path, os.O_PATH) for path in closed}
    for ancestor in sorted(set(closed.values())):
        _mount("-t", "tmpfs", "-o", "mode=0755,size=1m,nosuid,nodev", "tmpfs", str(ancestor))
    for path, handle in handles.items():
        if path.is_dir() or stat.S_ISDIR(os.fstat(handle).st_mode):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        _mount("--bind", f"/proc/self/fd/{handle}", str(path), handles=(handle,))
        os.close(handle)


def _topmost_closed_ancestor(path: Path) -> Path | None:
    """Returns the first directory on the way to ``path`` that others may not enter."""
    for ancestor in [*reversed(path.parents), path]:
        if not ancestor.stat().st_mode & stat.S_IXOTH:
            return ancestor if ancestor != path else None
    return None


def _mount(*arguments: str, handles: tuple[int, ...] = ()) -> None:
    result = subprocess.run(
        ["mount", "--no-canonicalize", "--no-mtab", *arguments],
        pass_fds=handles,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise OSError(result.stderr.strip() or f"mount {' '.join(arguments)} failed")


if __name__ == "__main__":
    main()
