# Makes every call by number with bad pointers; each must answer as the filter says. Expected: an empty list.
import threading

import bpf
from attack import MACHINE, syscall

from aerlock_executor.cell import filters
from aerlock_executor.cell.seccomp import ALLOW

PATTERNS = ([-1] * 6, [0] * 6, [1] * 6, [1 << 63] * 6, [0xFFFFFFFF] * 6)
# They end the thread or the program, wait, or take what the thread needs to go on. The kernel asks no filter
# about uprobe and uretprobe: called from anywhere but its own probes they are a SIGILL.
NOT_MADE = {
    "alarm", "exit", "exit_group", "pause", "restart_syscall", "rseq", "rt_sigreturn", "rt_sigsuspend",
    "set_robust_list", "set_tid_address", "setrlimit", "umask", "uprobe", "uretprobe", "335", "336",
}  # fmt: skip

LISTED = {*filters._ALLOWED.split(), *(rule.name for rule in filters._CHECKED)}


def main(backend, user_messenger, **kwargs):
    found = []
    for sweep in (sweep_all, lambda found: in_thread(sweep_all, found)):
        sweep(found)
    return found


def in_thread(work, *arguments):
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    thread.join()


def sweep_all(found):
    names = {number: name for name, number in MACHINE.numbers.items()}
    program = filters.job_filter()
    for number in [*range(1_024), *(1 << power for power in range(10, 30))]:
        name = names.get(number, str(number))
        if name in NOT_MADE:
            continue
        for pattern in PATTERNS:
            action = bpf.decide(program, number, MACHINE.audit_architecture, pattern)
            if action == ALLOW:
                found += [] if name in LISTED else [[name, "not in the list"]]
                if pattern == PATTERNS[0]:
                    syscall(number, *pattern)
                continue
            if -syscall(number, *pattern) != action & 0xFFFF or action >> 16 != 5:
                found.append([name, pattern[0]])
