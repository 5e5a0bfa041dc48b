"""The seccomp filters: their syscall numbers, and what they decide, by running their BPF."""

import ctypes
import ctypes.util
import errno

import bpf
import pytest

from aerlock_executor.cell import filters
from aerlock_executor.cell.filters import job_filter, zygote_filter
from aerlock_executor.cell.seccomp import ALLOW, KILL_PROCESS, fails, machine

MACHINES = ("aarch64", "x86_64")
THREAD_FLAGS = 0x3D0F00  # What glibc's pthread_create passes.
FORK_FLAGS = 0x01200011  # What glibc's fork passes.
I386 = 0x40000003
X32_BIT = 0x40000000
NUMBERS = (*range(2_048), *(1 << power for power in range(11, 30)))
# Pointers, descriptors and flags that no call means.
ARGUMENTS = ([0] * 6, [1] * 6, [-1] * 6, [1 << 63] * 6, [0x21] * 6, [THREAD_FLAGS] * 6)
TIOCSTI, TIOCLINUX = 0x5412, 0x541C


def decide(program, name, *arguments, target="x86_64", number=None, architecture=None):
    """What a filter does with one call."""
    table = machine(target)
    number = table.numbers[name] if number is None else number
    architecture = table.audit_architecture if architecture is None else architecture
    return bpf.decide(program, number, architecture, arguments)


@pytest.mark.parametrize("name", MACHINES)
def test_syscall_numbers_match_libseccomp(name):
    path = ctypes.util.find_library("seccomp")
    if path is None:
        pytest.skip("libseccomp is not installed")
    resolve = ctypes.CDLL(path).seccomp_syscall_resolve_name_arch
    resolve.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    table = machine(name)
    theirs = {call: resolve(table.audit_architecture, call.encode()) for call in table.numbers}
    known = {call: number for call, number in theirs.items() if number >= 0}
    assert len(known) > 250
    assert {call: table.numbers[call] for call in known} == known


@pytest.mark.parametrize("target", MACHINES)
@pytest.mark.parametrize(
    "name", ["read", "openat", "mmap", "futex", "exit_group", "clock_nanosleep", "eventfd2", "getrandom"]
)
def test_job_makes_ordinary_calls_allowed(name, target):
    assert decide(job_filter(target), name, target=target) == ALLOW


@pytest.mark.parametrize("target", MACHINES)
@pytest.mark.parametrize(
    "name",
    [
        "add_key", "bpf", "clone3", "epoll_create1", "epoll_ctl", "epoll_pwait", "flock", "fanotify_init",
        "inotify_init1", "io_uring_setup", "keyctl", "memfd_create", "mount", "move_mount",
        "name_to_handle_at", "open_by_handle_at", "open_tree", "perf_event_open", "personality",
        "pidfd_getfd", "pidfd_open", "pivot_root", "process_vm_readv", "process_vm_writev", "ptrace",
        "request_key", "sendmsg", "sendmmsg", "setns", "shmget", "splice", "sync", "umount2", "unshare",
        "userfaultfd", "vmsplice",
    ],
)  # fmt: skip
def test_job_makes_kernel_calls_not_implemented(name, target):
    assert decide(job_filter(target), name, target=target) == fails(errno.ENOSYS)


@pytest.mark.parametrize(
    "name", ["fork", "vfork", "execve", "execveat", "socket", "connect", "bind", "mknod"]
)
def test_job_makes_processes_and_sockets_not_permitted(name):
    assert decide(job_filter("x86_64"), name) == fails(errno.EPERM)


def test_job_clones_thread_allowed_process_refused():
    program = job_filter("x86_64")
    assert decide(program, "clone", THREAD_FLAGS) == ALLOW
    assert decide(program, "clone", FORK_FLAGS) == fails(errno.EPERM)
    assert decide(program, "clone", THREAD_FLAGS | 0x10000000) == fails(errno.EPERM)  # CLONE_NEWUSER
    assert decide(program, "clone", THREAD_FLAGS & ~0x10000) == fails(errno.EPERM)  # no CLONE_THREAD


@pytest.mark.parametrize("request_", [TIOCSTI, TIOCLINUX])
def test_job_injects_terminal_input_refused_whatever_the_high_bits(request_):
    for high in (0, 1 << 32, 0xFFFFFFFF << 32):
        assert decide(job_filter("x86_64"), "ioctl", 0, request_ | high) == fails(errno.ENOTTY)


@pytest.mark.parametrize("command", [5, 6, 7, 37, 38, 1024, 1026, 1031, 8])
def test_job_takes_locks_leases_and_notifications_by_fcntl_refused(command):
    assert decide(job_filter("x86_64"), "fcntl", 3, command) == fails(errno.EPERM)


def test_job_makes_socket_pair_unix_only():
    program = job_filter("x86_64")
    assert decide(program, "socketpair", 1, 1) == ALLOW
    assert decide(program, "socketpair", 16, 3) == fails(errno.EPERM)  # AF_NETLINK
    assert decide(program, "sendto", 3, 0x1000, 1) == ALLOW
    assert decide(program, "sendto", 3, 0x1000, 1, 0, 1 << 40) == fails(errno.EPERM)  # with an address
    assert decide(program, "sendto", 3, 0x1000, 1, 0x4001) == fails(errno.EPERM)  # MSG_NOSIGNAL | MSG_OOB
    assert decide(program, "recvfrom", 3, 0x1000, 1, 1) == fails(errno.EPERM)
    assert decide(program, "recvfrom", 3, 0x1000, 1, 2) == ALLOW  # MSG_PEEK


@pytest.mark.parametrize(("name", "argument"), [("poll", 1), ("ppoll", 1), ("select", 0), ("pselect6", 0)])
def test_job_waits_for_few_files_at_a_time(name, argument):
    program, before = job_filter("x86_64"), [1 << 40] * argument
    for count in (0, 1, 15, 15 | 1 << 32):
        assert decide(program, name, *before, count) == ALLOW
    for count in (16, 256, 16 | 1 << 32, 0xFFFFFFFF):
        assert decide(program, name, *before, count) == fails(errno.EINVAL)


@pytest.mark.parametrize("advice", [12, 13, 20, 21, 100, 101])
def test_job_advises_on_pages_of_others_refused(advice):
    assert decide(job_filter("x86_64"), "madvise", 1 << 40, 4096, advice) == fails(errno.EPERM)


def test_job_sends_and_takes_urgent_data_refused():
    program = job_filter("x86_64")
    for high in (0, 1 << 32):
        assert decide(program, "sendto", 3, 0x1000, 1, 1 | high) == fails(errno.EPERM)  # MSG_OOB
        assert decide(program, "recvfrom", 3, 0x1000, 1, 1 | high) == fails(errno.EPERM)
    assert decide(program, "sendto", 3, 0x1000, 1, 0x4000) == ALLOW  # MSG_NOSIGNAL
    assert decide(program, "recvfrom", 3, 0x1000, 1, 0x40) == ALLOW  # MSG_DONTWAIT


def test_job_takes_a_descriptor_of_a_process_from_a_socket_refused():
    program = job_filter("x86_64")
    assert decide(program, "getsockopt", 3, 1, 77) == fails(errno.EPERM)  # SO_PEERPIDFD
    assert decide(program, "getsockopt", 3, 1, 4) == ALLOW  # SO_ERROR


@pytest.mark.parametrize("advice", [9, 12, 20, 21, 25, 100, 101, 21 | 1 << 32])
def test_job_gives_advice_about_pages_of_others_refused(advice):
    program = job_filter("x86_64")
    assert decide(program, "madvise", 0, 4096, advice) == fails(errno.EPERM)
    assert decide(program, "madvise", 0, 4096, 4) == ALLOW  # MADV_DONTNEED


def test_job_signals_init_refused():
    program = job_filter("x86_64")
    assert decide(program, "kill", 1, 15) == fails(errno.EPERM)
    assert decide(program, "tgkill", 1, 1, 15) == fails(errno.EPERM)
    assert decide(program, "kill", 2, 15) == ALLOW


def test_job_sets_dumpable_refused_and_its_name_allowed():
    program = job_filter("x86_64")
    assert decide(program, "prctl", 4, 1) == fails(errno.EPERM)
    assert decide(program, "prctl", 15, 0x1000) == ALLOW


def test_job_changes_limits_of_init_refused():
    assert decide(job_filter("x86_64"), "prlimit64", 1) == fails(errno.EPERM)
    assert decide(job_filter("x86_64"), "prlimit64", 0) == ALLOW


def test_job_changes_limit_of_core_dumps_refused():
    program = job_filter("x86_64")
    for kind in (4, 4 | 1 << 32):
        assert decide(program, "setrlimit", kind, 1 << 40) == fails(errno.EPERM)
        assert decide(program, "prlimit64", 0, kind, 1 << 40) == fails(errno.EPERM)
    for kind in (3, 5, 15):
        assert decide(program, "setrlimit", kind, 1 << 40) == ALLOW
        assert decide(program, "prlimit64", 0, kind, 1 << 40) == ALLOW


@pytest.mark.parametrize("program", [job_filter("x86_64"), zygote_filter("x86_64")], ids=["job", "zygote"])
def test_foreign_architecture_and_x32_killed(program):
    assert decide(program, "read", architecture=I386) == KILL_PROCESS
    assert decide(program, "read", number=0x40000000) == KILL_PROCESS


@pytest.mark.parametrize("target", MACHINES)
def test_no_number_outside_the_list_reaches_the_kernel(target):
    program, table = job_filter(target), machine(target)
    always, checked = filters._ALLOWED.split(), [rule.name for rule in filters._CHECKED]
    reached = {
        number
        for number in NUMBERS
        for arguments in ARGUMENTS
        if bpf.decide(program, number, table.audit_architecture, arguments) == ALLOW
    }
    listed = {table.numbers[name] for name in always if name in table.numbers}
    assert listed <= reached <= listed | {table.numbers[name] for name in checked}


@pytest.mark.parametrize("program", [job_filter("x86_64"), zygote_filter("x86_64")], ids=["job", "zygote"])
def test_every_number_of_x32_and_of_other_machines_is_killed(program):
    own = machine("x86_64").audit_architecture
    others = [I386, machine("aarch64").audit_architecture, 0, 0xFFFFFFFF, own ^ 0x80000000]
    for number in NUMBERS:
        for high in (X32_BIT, 0x80000000, 0xC0000000):
            assert bpf.decide(program, number | high, own, []) == KILL_PROCESS
        assert {bpf.decide(program, number, other, []) for other in others} == {KILL_PROCESS}


@pytest.mark.parametrize("target", MACHINES)
def test_zygote_unshares_and_mounts_allowed_the_rest_refused(target):
    program = zygote_filter(target)
    for name in ("unshare", "mount", "umount2", "clone", "pidfd_open", "recvmsg"):
        assert decide(program, name, target=target) == ALLOW
    for name in ("socket", "execve", "keyctl", "bpf", "io_uring_setup", "userfaultfd", "ptrace"):
        assert decide(program, name, target=target) == fails(errno.EPERM)


@pytest.mark.parametrize("program", [job_filter("x86_64"), zygote_filter("x86_64")], ids=["job", "zygote"])
def test_syscall_newer_than_the_table_not_implemented(program):
    newer = machine("x86_64").highest_number + 1
    assert decide(program, "read", number=newer) == fails(errno.ENOSYS)


def test_unknown_machine_has_no_filter():
    with pytest.raises(LookupError, match="no syscall table for riscv64"):
        machine("riscv64")
