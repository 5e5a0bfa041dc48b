# Changes all of its own state that it can; run again it finds none changed. Expected: an empty list.
import gc
import locale
import os
import random
import resource
import signal
import sys
import threading
import time
import warnings


def main(backend, user_messenger, **kwargs):
    state = {
        "directory": os.getcwd() == "/tmp",
        "signals": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL and not signal.pthread_sigmask(0, []),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 64,
        "recursion": sys.getrecursionlimit() < 5_000,
        "switching": sys.getswitchinterval() < 1,
        "collector": gc.isenabled(),
        "time zone": time.tzname[0] == "UTC",
        "warnings": len(warnings.filters) < 50,
        "thread stack": threading.stack_size() == 0,
        "locale": locale.setlocale(locale.LC_ALL) != "C.dirty",
        "name": "dirty" not in open("/proc/self/comm").read(),
    }
    os.umask(0o777)
    os.chdir("/")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    sys.setrecursionlimit(100_000)
    sys.setswitchinterval(100)
    gc.disable()
    os.environ["TZ"] = "America/Lima"
    time.tzset()
    threading.stack_size(1 << 20)
    random.seed(7)
    for _ in range(100):
        warnings.filterwarnings("ignore", message=str(random.random()))
    return [name for name, holds in state.items() if not holds]
