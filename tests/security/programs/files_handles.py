# Reopens what it may read for writing, by magic links and handles. Expected: an empty list.
import os

from attack import let_through, libc, succeeded


def main(backend, user_messenger, **kwargs):
    fd = os.open(os.__file__, os.O_RDONLY)
    path_fd = os.open(os.__file__, os.O_PATH)
    folder = os.open(os.path.dirname(os.__file__), os.O_RDONLY)
    found = succeeded(
        {
            "reopened for writing": lambda: os.open(f"/proc/self/fd/{fd}", os.O_RDWR),
            "path reopened for writing": lambda: os.open(f"/proc/self/fd/{path_fd}", os.O_WRONLY),
            "truncated": lambda: os.truncate(f"/proc/self/fd/{fd}", 0),
            "mode changed": lambda: os.chmod(f"/proc/self/fd/{fd}", 0o777),
            "unnamed file": lambda: os.open(os.path.dirname(os.__file__), os.O_TMPFILE | os.O_RDWR),
            "created beside": lambda: os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=folder),
            "linked": lambda: os.link(f"/proc/self/fd/{fd}", "/tmp/linked", follow_symlinks=True),
            "renamed": lambda: os.rename(os.__file__, "/tmp/renamed"),
            "root of init": lambda: os.listdir("/proc/1/root"),
            "directory of init": lambda: os.listdir("/proc/1/cwd"),
            "descriptors of init": lambda: os.listdir("/proc/1/fd"),
        }
    )
    if libc.linkat(fd, b"", -100, b"/tmp/by-descriptor", 0x1000) == 0:
        found.append("linked by descriptor")
    buffer = bytes(256)
    return found + let_through(
        {
            "handle": ("name_to_handle_at", -100, b"/usr", buffer, buffer, 0),
            "open handle": ("open_by_handle_at", folder, buffer, 0),
            "openat2": ("openat2", -100, b"/usr", buffer, 24),
        }
    )
