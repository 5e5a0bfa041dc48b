# Says what is not as every job must find it: ids, capabilities, filters, signals, folders. Expected: nothing.
import linecache
import logging
import os
import signal
import socket
import sys

VARIABLES = {
    "HOME", "LANG", "LC_CTYPE", "MALLOC_ARENA_MAX", "MIMALLOC_ARENA_RESERVE", "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS", "PWD", "QISKIT_PARALLEL", "RAYON_NUM_THREADS", "TMPDIR", "TZ",
    "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "QISKIT_IN_PARALLEL",
}  # fmt: skip
NONE = "0" * 16


def main(backend, user_messenger, **kwargs):
    status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines() if ":" in line)
    status = {name: text.strip() for name, text in status.items()}
    finders = [finder for finder in sys.meta_path if type(finder).__name__ == "_MemoryFinder"]
    facts = {
        "one program": len(finders) == 1 and finders[0].find_spec("program", None) is not None,
        "own source": "VARIABLES" in "".join(linecache.getlines("program.py")),
        "log level": logging.getLogger().level == logging.WARNING,
        "uid": os.getresuid() == (1000, 1000, 1000),
        "gid": os.getresgid() == (1000, 1000, 1000),
        "capabilities": all(status[f"Cap{kind}"] == NONE for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")),
        "no_new_privs": status["NoNewPrivs"] == "1",
        "seccomp": status["Seccomp"] == "2" and int(status.get("Seccomp_filters", 2)) >= 2,
        "signals blocked": int(status["SigBlk"], 16) == 0,
        "signals pending": int(status["ShdPnd"], 16) == 0,
        "signals caught": int(status["SigCgt"], 16) & 0xFFFFFFFF in (0, 1 << (signal.SIGINT - 1)),
        "tracer": status["TracerPid"] == "0",
        "pid": os.getpid() == 2 and os.getppid() == 1,
        "session": os.getsid(0) == os.getpid() == os.getpgid(0),
        "terminal": not any(os.isatty(fd) for fd in (0, 1, 2)),
        "directory": os.getcwd() == "/tmp" and os.listdir("/dev/shm") == [],
        "host name": socket.gethostname() == "cell" == os.uname().nodename,
        "niceness": open("/proc/self/stat").read().rsplit(")", 1)[1].split()[16] == "0",
        "affinity": len(os.sched_getaffinity(0)) == os.cpu_count(),
        "environment": os.environ.keys() <= VARIABLES,
        "first to be killed": open("/proc/self/oom_score_adj").read().strip() == "1000",
        "core files": "Max core file size 1 1 bytes" in " ".join(open("/proc/self/limits").read().split()),
        "uid map": open("/proc/self/uid_map").read().split()[2] == "1",
        "groups": status["Groups"] == "" or set(status["Groups"].split()) <= {"65534", "1000"},
    }
    return [name for name, holds in facts.items() if not holds]
