"""Runs a command in a user namespace of its own, the limits of which a test may change."""

import os
import sys
from pathlib import Path

from aerlock_executor.cell import linux


def main() -> None:
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(linux.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
