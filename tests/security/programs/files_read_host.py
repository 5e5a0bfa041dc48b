# Reads what belongs to the host, to other processes and to the zygote. Expected: nothing, an empty list.
import os

PATHS = (
    "/etc/passwd", "/etc/shadow", "/etc/hostname", "/root/.bashrc", "/root/.ssh", "/var/log",
    "/run/docker.sock", "/sys", "/boot",
    "/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/fuse", "/dev/net/tun",
    "/proc/kcore", "/proc/kallsyms", "/proc/sys/kernel/hostname", "/proc/1/environ", "/proc/1/mem",
    "/proc/1/maps", "/proc/1/root", "/proc/1/cwd", "/proc/1/fd", "/proc/self/root/etc/passwd", "/stage",
)  # fmt: skip


def main(backend, user_messenger, **kwargs):
    read = []
    for path in PATHS:
        try:
            content = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(64)
        except OSError:
            continue
        if content:
            read.append(path)
    return read
