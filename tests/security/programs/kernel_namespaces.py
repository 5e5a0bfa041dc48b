# Makes namespaces and mounts by the old and the new calls. Expected: an empty list.
import os

from attack import let_through


def main(backend, user_messenger, **kwargs):
    namespace = os.open("/proc/self/ns/user", os.O_RDONLY)
    calls = {f"unshare {1 << bit:#x}": ("unshare", 1 << bit) for bit in range(32)}
    calls |= {f"setns {1 << bit:#x}": ("setns", namespace, 1 << bit) for bit in range(32)}
    for flags in (0x20, 0x1000, 0x2000, 0x4000, 0x40000, 0x1020, 0x1021):
        calls[f"mount {flags:#x}"] = ("mount", b"none", b"/tmp", b"tmpfs", flags, 0)
    calls |= {
        "umount": ("umount2", b"/proc", 2),
        "pivot_root": ("pivot_root", b"/tmp", b"/tmp"),
        "chroot": ("chroot", b"/tmp"),
        "open_tree": ("open_tree", -100, b"/", 1),
        "move_mount": ("move_mount", -100, b"/", -100, b"/tmp", 0),
        "fsopen": ("fsopen", b"tmpfs", 0),
        "fspick": ("fspick", -100, b"/", 0),
        "fsmount": ("fsmount", 0, 0, 0),
        "mount_setattr": ("mount_setattr", -100, b"/", 0, bytes(32), 32),
        "statmount": ("statmount", bytes(24), bytes(512), 512, 0),
        "landlock": ("landlock_create_ruleset", 0, 0, 1),
        "sethostname": ("sethostname", b"x", 1),
        "setgroups": ("setgroups", 0, 0),
        "setresuid": ("setresuid", 0, 0, 0),
        "capset": ("capset", bytes(8), bytes(24)),
    }
    return let_through(calls)
