# Moves folders away under its feet, between its file systems, and makes devices by renaming.
# Expected: an empty list, it stays inside.
import os

from attack import succeeded, syscall

RENAME_WHITEOUT = 4


def main(backend, user_messenger, **kwargs):
    os.makedirs("/tmp/a/b/c")
    os.mkdir("/dev/shm/outside")
    open("/tmp/file", "w").close()
    inner = os.open("/tmp/a/b/c", os.O_RDONLY)
    found = succeeded(
        {
            "folder moved to another mount": lambda: os.rename("/tmp/a/b", "/dev/shm/outside/b"),
            "link to another mount": lambda: os.link("/tmp/file", "/dev/shm/file"),
            "mount point moved": lambda: os.rename("/tmp", "/dev/shm/tmp"),
            "mount point removed": lambda: os.rmdir("/dev/shm"),
        }
    )
    os.rename("/tmp/a/b/c", "/tmp/c")
    os.rmdir("/tmp/a/b")
    os.fchdir(inner)
    for _ in range(50):
        os.chdir("..")
    found += [name for name in ("shm", "file") if os.path.exists(f"scratch/{name}")]
    if os.stat(".").st_ino != os.stat("/").st_ino or os.path.exists("etc/passwd"):
        found.append("beyond the root")
    syscall("renameat2", -100, b"/tmp/file", -100, b"/tmp/moved", RENAME_WHITEOUT)
    for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
        try:
            if os.path.exists("/tmp/file") and os.open("/tmp/file", flags) >= 0:
                found.append("device opened")
        except OSError:
            pass
    return found
