# Signals, traces, reads, limits and schedules process 1 by every call there is. Expected: an empty list.
from attack import let_through

INIT = 1


def main(backend, user_messenger, **kwargs):
    buffer = bytes(256)
    calls = {
        "ptrace attach": ("ptrace", 16, INIT, 0, 0),
        "ptrace seize": ("ptrace", 0x4206, INIT, 0, 0),
        "ptrace me": ("ptrace", 0, 0, 0, 0),
        "process_vm_readv": ("process_vm_readv", INIT, buffer, 1, buffer, 1, 0),
        "process_vm_writev": ("process_vm_writev", INIT, buffer, 1, buffer, 1, 0),
        "process_madvise": ("process_madvise", INIT, buffer, 1, 4, 0),
        "move_pages": ("move_pages", INIT, 0, 0, 0, 0, 0),
        "migrate_pages": ("migrate_pages", INIT, 0, 0, 0),
        "kcmp": ("kcmp", INIT, 2, 0, 0, 0),
        "prlimit64": ("prlimit64", INIT, 7, buffer, 0),
        "sched_setaffinity": ("sched_setaffinity", INIT, 8, buffer),
        "sched_setattr": ("sched_setattr", INIT, buffer, 0),
        "setpriority": ("setpriority", 0, INIT, 19),
        "ioprio_set": ("ioprio_set", 1, INIT, 0),
        "perf_event_open": ("perf_event_open", buffer, INIT, -1, -1, 0),
        "get_robust_list": ("get_robust_list", INIT, buffer, buffer),
        "rt_sigqueueinfo": ("rt_sigqueueinfo", INIT, 15, buffer),
        "rt_tgsigqueueinfo": ("rt_tgsigqueueinfo", INIT, INIT, 15, buffer),
        "tkill": ("tkill", INIT, 15),
        "pidfd_open": ("pidfd_open", INIT, 0),
        "pidfd_send_signal": ("pidfd_send_signal", 0, 15, 0, 0),
        "setpgid": ("setpgid", 0, INIT),
    }
    for signal in range(1, 65):
        calls[f"kill {signal}"] = ("kill", INIT, signal)
        calls[f"kill {signal} with high bits"] = ("kill", INIT | 1 << 32, signal)
        calls[f"tgkill {signal}"] = ("tgkill", INIT, INIT, signal)
    for option in (4, 36, 0x59616D61, 35, 1):  # dumpable, subreaper, ptracer, mm, death signal
        calls[f"prctl {option}"] = ("prctl", option, 1, 0, 0, 0)
    return let_through(calls)
