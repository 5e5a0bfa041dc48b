# Makes every syscall that reaches beyond a process. Expected: an empty list.
import ctypes
import errno
import platform

COMMON = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_open": 434, "clone3": 435, "openat2": 437, "pidfd_getfd": 438, "process_madvise": 440,
    "mount_setattr": 442, "landlock_create_ruleset": 444, "memfd_secret": 447, "process_mrelease": 448,
    "statmount": 457, "listmount": 458, "unknown": 470, "future": 599,
}  # fmt: skip
X86 = {
    "shmget": 29, "ptrace": 101, "setuid": 105, "personality": 135, "mlock": 149, "modify_ldt": 154,
    "pivot_root": 155, "chroot": 161, "sethostname": 170, "mount": 165, "umount2": 166, "swapon": 167,
    "init_module": 175, "lookup_dcookie": 212, "remap_file_pages": 216, "timer_create": 222, "mbind": 237,
    "mq_open": 240, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "inotify_init": 253,
    "unshare": 272, "splice": 275, "vmsplice": 278, "move_pages": 279, "signalfd": 282,
    "reboot": 169, "perf_event_open": 298,
    "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308,
    "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "sched_setattr": 314,
    "seccomp": 317, "memfd_create": 319, "bpf": 321, "userfaultfd": 323, "rt_sigqueueinfo": 129,
}  # fmt: skip


def main(backend, user_messenger, **kwargs):
    libc = ctypes.CDLL(None, use_errno=True)
    let_through = []
    for name, number in {**COMMON, **(X86 if platform.machine() == "x86_64" else {})}.items():
        ctypes.set_errno(0)
        result = libc.syscall(number, *[ctypes.c_long(-1)] * 5)
        if result != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            let_through.append(f"{name}: {result} {errno.errorcode.get(ctypes.get_errno())}")
    return let_through
