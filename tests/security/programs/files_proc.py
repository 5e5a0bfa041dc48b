# Opens all of /proc for writing, and all that is init's for reading. Expected: an empty list.
import os

OPEN_TO_ALL = {"cmdline", "comm", "stat", "statm", "status", "cgroup", "limits", "maps", "smaps"}
SECRETS = ("environ", "mem", "maps", "smaps", "io", "stack", "syscall", "auxv", "fd", "ns", "exe", "root")


def main(backend, user_messenger, **kwargs):
    found = []
    pids = {name for name in os.listdir("/proc") if name.isdigit()}
    found += sorted(pids - {"1", str(os.getpid())})
    for name in ("sys", "kcore", "sysrq-trigger", "keys", "net", "bus", "irq", "kmsg", "mounts.host"):
        if os.path.exists(f"/proc/{name}") and os.path.isdir(f"/proc/{name}") and os.listdir(f"/proc/{name}"):
            found.append(name)
    for folder in ("/proc/self", "/proc/self/task/self", "/proc/thread-self", "/proc/1"):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            path = f"{folder}/{name}"
            if not os.path.isdir(path) and not os.path.islink(path):
                found += [f"written {path}"] if opens(path, os.O_WRONLY) else []
    for name in SECRETS:
        path = f"/proc/1/{name}"
        try:
            content = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(64)
        except OSError:
            continue
        found += [f"read {path}"] if content else []
    return found


def opens(path, flags):
    try:
        os.close(os.open(path, flags))
    except OSError:
        return False
    return True
