# Signals init, every pid, every group, and takes pidfds. Expected: an empty list, and the job goes on.
import ctypes
import os
import signal


def main(backend, user_messenger, **kwargs):
    hit = []
    own = os.getpid()
    threads = {int(name) for name in os.listdir("/proc/self/task")}  # A thread's id names its process too.
    for pid in [1, -1, *range(3, 40_000)]:
        if pid in threads:
            continue
        for number in (signal.SIGKILL, signal.SIGSTOP) if pid in (1, -1) else (signal.SIGKILL,):
            try:
                os.kill(pid, number)
                hit.append(pid)
            except OSError:
                pass
    libc = ctypes.CDLL(None)
    for pid in (1, own):
        if libc.syscall(434, pid, 0) >= 0:
            hit.append(f"pidfd of {pid}")
        if libc.ptrace(16, pid, 0, 0) == 0:
            hit.append(f"ptrace of {pid}")
    return hit
