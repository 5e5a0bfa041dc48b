# Writes everywhere outside of /tmp and /dev/shm, remounts, makes devices. Expected: an empty list.
import ctypes
import os
import stat
import sys


def main(backend, user_messenger, **kwargs):
    done = []
    folders = {"/", "/usr/lib", "/dev", "/proc/self", "/stage", "/etc", *filter(os.path.isdir, sys.path)}
    folders = {folder for folder in folders if not folder.startswith("/tmp/")}
    folders |= {os.path.dirname(module.__file__) for module in list(sys.modules.values())[:50]
                if getattr(module, "__file__", None) and os.path.isabs(module.__file__)}  # fmt: skip
    for folder in folders:
        attempt(
            done, f"create in {folder}", lambda folder=folder: open(os.path.join(folder, "x"), "w").close()
        )
        attempt(done, f"chmod {folder}", lambda folder=folder: os.chmod(folder, 0o777))
    attempt(done, "overwrite os.py", lambda: open(os.__file__, "r+b").close())
    attempt(done, "device", lambda: os.mknod("/tmp/device", 0o666 | stat.S_IFBLK, os.makedev(8, 0)))
    attempt(done, "setuid", lambda: os.setuid(0))
    attempt(done, "chroot", lambda: os.chroot("/tmp"))
    libc = ctypes.CDLL(None)
    for flags in (0x20, 0x1000, 0x1000 | 0x20, 0x2000):
        if libc.mount(b"none", b"/", None, ctypes.c_ulong(flags), None) == 0:
            done.append(f"mount {flags:#x}")
    if libc.umount2(b"/tmp", 2) == 0:
        done.append("umount")
    return done


def attempt(done, name, call):
    try:
        call()
    except (OSError, AttributeError):
        return
    done.append(name)
