"""Which syscalls a job and the zygote may make.

The job's filter is an allow-list, so that a syscall of a future kernel is
refused; the zygote must unshare, mount and write uid maps, so its filter is a
list of what it never needs, and of everything newer than the table.
"""

import errno
from functools import cache

from aerlock_executor.cell.seccomp import ALLOW, Check, Pointer, Rule, assemble, fails, machine

_NOT_IMPLEMENTED = fails(errno.ENOSYS)
_NOT_PERMITTED = fails(errno.EPERM)
_DONE = fails(0)

_ALL_BITS = 0xFFFFFFFF
# CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD. Without CLONE_FILES each thread would have
# a descriptor table, and RLIMIT_NOFILE, of its own.
_THREAD = 0x00000100 | 0x00000200 | 0x00000400 | 0x00000800 | 0x00010000
# What C libraries set besides: CLONE_SYSVSEM, CLONE_SETTLS, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID,
# CLONE_DETACHED, CLONE_CHILD_SETTID.
_OF_THREADS = 0x00040000 | 0x00080000 | 0x00100000 | 0x00200000 | 0x00400000 | 0x01000000

_AF_UNIX = 1
_MAP_SHARED_ANONYMOUS = 0x21
_MAP_HUGETLB = 0x40000
# Every way to have all bits of the one or the bit of the other under a mask of both.
_MAP_REFUSED = (_MAP_SHARED_ANONYMOUS, *(_MAP_HUGETLB | bits for bits in (0, 1, 0x20, _MAP_SHARED_ANONYMOUS)))

_FILES = """
    access chdir chmod close copy_file_range creat dup dup2 dup3 faccessat faccessat2
    fallocate fchdir fchmod fchmodat fstat fstatfs ftruncate futimesat getcwd getdents
    getdents64 link linkat lseek lstat mkdir mkdirat newfstatat open openat pread64 preadv preadv2 pwrite64
    pwritev pwritev2 read readlink readlinkat readv rename renameat renameat2 rmdir stat statfs statx
    symlink symlinkat truncate umask unlink unlinkat utime utimensat utimes write writev
"""
# Not epoll: its watches stay when a descriptor is closed, so that one job can have all that the kernel gives
# the uid, which is the executor's, too.
_EVENTS = "eventfd eventfd2 pipe pipe2 timerfd_create timerfd_gettime timerfd_settime"
_MEMORY = "brk membarrier mprotect mremap munmap"
_SIGNALS = """
    alarm getitimer pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn
    rt_sigsuspend rt_sigtimedwait setitimer sigaltstack
"""
_TIME = "clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time times"
_PROCESS = """
    capget exit exit_group futex futex_waitv getcpu getegid geteuid getgid getgroups getpgid
    getpgrp getpid getppid getrandom getresgid getresuid getrlimit getrusage getsid gettid getuid rseq
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getparam sched_getscheduler
    sched_yield set_robust_list set_tid_address sysinfo uname wait4 waitid
"""
# A socket pair is what asyncio wakes its loop with. Without sendmsg no file
# descriptor travels over it, without connect and addresses it leads nowhere.
_SOCKETS = "getpeername getsockname shutdown"

# Not sendfile: a byte in a pipe or a socket holds its page, which no limit counts once the file is gone.
_ALLOWED = " ".join((_FILES, _EVENTS, _MEMORY, _SIGNALS, _TIME, _PROCESS, _SOCKETS))

# Scratch is memory, so there is nothing to do; on files that all read it would flush the host's disk, or drop
# what others have in its cache.
_ANSWERED = "fadvise64 fdatasync fsync msync"

# Refused with "not permitted" rather than "not implemented", since callers
# handle that as the end of the matter.
_REFUSED = """
    bind chown connect execve execveat fchown fchownat fork get_mempolicy lchown mbind mknod mknodat mlock
    mlock2 mlockall munlock munlockall sched_setaffinity sched_setparam sched_setscheduler set_mempolicy
    setpgid setpriority setsid socket vfork
"""

# Attributes would be kernel memory that no limit counts; shutil takes this answer.
_NO_ATTRIBUTES = """
    fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr listxattr llistxattr lremovexattr lsetxattr
    removexattr setxattr
"""

# fcntl: duplicates and flags, no locks, leases, notifications or pipe sizes,
# since those reach other jobs through shared read-only inodes or shared quotas.
_FCNTL_COMMANDS = (0, 1, 2, 3, 4, 1030, 1032)  # DUPFD GETFD SETFD GETFL SETFL DUPFD_CLOEXEC GETPIPE_SZ
# ioctl: FIONREAD FIONBIO FIONCLEX FIOCLEX TCGETS TIOCGWINSZ. Neither TIOCSTI nor TIOCLINUX.
_IOCTL_REQUESTS = (0x541B, 0x5421, 0x5450, 0x5451, 0x5401, 0x5413)
# PR_GET_PDEATHSIG PR_GET_DUMPABLE PR_SET_NAME PR_GET_NAME PR_GET_SECCOMP PR_CAPBSET_READ PR_GET_TIMERSLACK
# PR_GET_NO_NEW_PRIVS
_PRCTL_OPTIONS = (2, 3, 15, 16, 21, 23, 30, 39)
# MADV_NORMAL MADV_RANDOM MADV_SEQUENTIAL MADV_WILLNEED MADV_DONTNEED MADV_FREE MADV_DONTFORK MADV_DOFORK
# MADV_HUGEPAGE MADV_NOHUGEPAGE MADV_DONTDUMP MADV_DODUMP MADV_WIPEONFORK MADV_KEEPONFORK MADV_GUARD_INSTALL
# MADV_GUARD_REMOVE. Not MADV_MERGEABLE: pages that jobs share can be timed. Not MADV_PAGEOUT and its like:
# they take pages of files from the others who read them.
_MADVICE = (0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 102, 103)
# SO_TYPE SO_ERROR SO_PROTOCOL SO_DOMAIN. SO_PEERPIDFD would be a descriptor of a process.
_SOCKET_OPTIONS = (3, 4, 38, 39)
# MSG_PEEK MSG_DONTWAIT MSG_WAITALL MSG_NOSIGNAL. Not MSG_OOB, which has led out of sandboxes before.
_MESSAGE_FLAGS = 0x2 | 0x40 | 0x100 | 0x4000
_RLIMIT_CORE = 4
_LIMITS_BUT_CORE = tuple(kind for kind in range(16) if kind != _RLIMIT_CORE)
_ABOVE_15 = 0xFFFFFFF0

_CHECKED = (
    # Threads, not processes: a job is one process, so that resource limits bound it exactly.
    Rule("clone", ALLOW, (Check(0, (_THREAD,), mask=_ALL_BITS & ~_OF_THREADS),), _NOT_PERMITTED),
    # No MAP_SHARED | MAP_ANONYMOUS: it stays when all but a page of it is unmapped, and no limit counts it.
    # No MAP_HUGETLB: those pages are few, and whoever the host keeps them for would miss them.
    Rule(
        "mmap",
        _NOT_PERMITTED,
        (Check(3, _MAP_REFUSED, mask=_MAP_SHARED_ANONYMOUS | _MAP_HUGETLB),),
        ALLOW,
    ),
    # Neither flags, nor CLOSE_RANGE_CLOEXEC; CLOSE_RANGE_UNSHARE would give a thread descriptors of its own.
    Rule("close_range", ALLOW, (Check(2, (0, 4)),), _NOT_PERMITTED),
    Rule("fcntl", ALLOW, (Check(1, _FCNTL_COMMANDS),), _NOT_PERMITTED),
    Rule("ioctl", ALLOW, (Check(1, _IOCTL_REQUESTS),), fails(errno.ENOTTY)),
    # Process 1 is the cell's init, which reports how the program ended.
    Rule("kill", _NOT_PERMITTED, (Check(0, (1,)),), ALLOW),
    Rule("tgkill", _NOT_PERMITTED, (Check(0, (1,)),), ALLOW),
    # With any limit but the 1 that it has, a crash would start the host's handler of core dumps.
    Rule("prlimit64", ALLOW, (Check(0, (0,)), Check(1, _LIMITS_BUT_CORE)), _NOT_PERMITTED),
    Rule("setrlimit", _NOT_PERMITTED, (Check(0, (_RLIMIT_CORE,)),), ALLOW),
    Rule("madvise", ALLOW, (Check(2, _MADVICE),), _NOT_PERMITTED),
    Rule("prctl", ALLOW, (Check(0, _PRCTL_OPTIONS),), _NOT_PERMITTED),
    # A thread that waits for files holds them, also when their descriptors are closed and serve for others.
    *(
        Rule(name, ALLOW, (Check(argument, (0,), mask=_ABOVE_15),), fails(errno.EINVAL))
        for name, argument in (("poll", 1), ("ppoll", 1), ("pselect6", 0), ("select", 0))
    ),
    Rule("sendto", ALLOW, (Pointer(4), Check(3, (0,), mask=_ALL_BITS & ~_MESSAGE_FLAGS)), _NOT_PERMITTED),
    Rule("recvfrom", ALLOW, (Check(3, (0,), mask=_ALL_BITS & ~_MESSAGE_FLAGS),), _NOT_PERMITTED),
    Rule("getsockopt", ALLOW, (Check(2, _SOCKET_OPTIONS),), _NOT_PERMITTED),
    Rule("socketpair", ALLOW, (Check(0, (_AF_UNIX,)),), _NOT_PERMITTED),
)

_JOB_RULES = (
    *_CHECKED,
    *(Rule(name) for name in _ALLOWED.split()),
    *(Rule(name, _DONE) for name in _ANSWERED.split()),
    *(Rule(name, _NOT_PERMITTED) for name in _REFUSED.split()),
    *(Rule(name, fails(errno.ENOTSUP)) for name in _NO_ATTRIBUTES.split()),
)

# Landlock does not ask who changes a file's mode, owner or times; the rest of these it refuses as well.
_CHANGES_OF_FILES = """
    chmod copy_file_range creat fallocate fchmod fchmodat ftruncate futimesat link linkat mkdir mkdirat rename
    renameat renameat2 rmdir symlink symlinkat truncate unlink unlinkat utime utimensat utimes
"""

_ZYGOTE_REFUSED = """
    accept accept4 acct add_key bind bpf clock_adjtime clock_settime connect delete_module execve execveat
    fanotify_init finit_module init_module inotify_init inotify_init1 io_uring_enter io_uring_register
    io_uring_setup ioperm iopl kexec_file_load kexec_load keyctl listen lookup_dcookie memfd_create
    memfd_secret migrate_pages modify_ldt move_pages msgget name_to_handle_at nfsservctl open_by_handle_at
    perf_event_open personality process_madvise process_vm_readv process_vm_writev ptrace quotactl
    quotactl_fd reboot request_key semget setdomainname settimeofday shmget socket swapoff swapon syslog
    userfaultfd uselib vhangup vmsplice
"""


@cache
def job_filter(machine_name: str | None = None) -> bytes:
    """The filter of a program, for this machine by default; default ENOSYS, so libc falls back."""
    return assemble(_JOB_RULES, _NOT_IMPLEMENTED, machine(machine_name))


def confined_filter(pid: int, machine_name: str | None = None) -> bytes:
    """The filter of program ``pid`` in the reduced tier: it signals itself alone, and changes no file."""
    itself = (Check(0, (pid,)),)
    return assemble(
        (
            *(Rule(name, ALLOW, itself, _NOT_PERMITTED) for name in ("kill", "tgkill")),
            *(Rule(name, _NOT_PERMITTED) for name in _CHANGES_OF_FILES.split()),
            *_JOB_RULES,
        ),
        _NOT_IMPLEMENTED,
        machine(machine_name),
    )


@cache
def zygote_filter(machine_name: str | None = None) -> bytes:
    """The filter of the zygote and of what it forks, but in the tier none."""
    rules = [Rule(name, _NOT_PERMITTED) for name in _ZYGOTE_REFUSED.split()]
    return assemble(rules, ALLOW, machine(machine_name), above_highest=_NOT_IMPLEMENTED)
