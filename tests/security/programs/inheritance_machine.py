# Learns what SECURITY.md says is no secret: the kernel, the machine's size, and where things lie.
# Expected: that alone; the host's name is none of it.
import os
import platform


def main(backend, user_messenger, **kwargs):
    mounted = open("/proc/self/mountinfo").read()
    learned = {
        "kernel": bool(platform.release()),
        "cores": bool(os.cpu_count()),
        "memory": os.sysconf("SC_PHYS_PAGES") > 0,
        "paths": os.path.dirname(os.path.dirname(os.path.dirname(os.__file__))) in mounted,
        "host name": platform.node() != "cell",
    }
    return [name for name, known in learned.items() if known]
