# Makes programs and libraries where it may write, and executes them. Expected: an empty list.
import ctypes
import mmap
import os

from attack import succeeded


def main(backend, user_messenger, **kwargs):
    with open("/tmp/script", "w") as file:
        file.write("#!/bin/sh\n")
    os.chmod("/tmp/script", 0o6777)
    library = next(line.split()[-1] for line in open("/proc/self/maps") if "libm.so" in line)
    with open(library, "rb") as source, open("/tmp/libm.so", "wb") as target:
        target.write(source.read())
    script = os.open("/tmp/libm.so", os.O_RDONLY)
    loader = next(line.split()[-1] for line in open("/proc/self/maps") if "/ld-" in line)
    return succeeded(
        {
            "execute": lambda: os.execv("/tmp/script", ["script"]),
            "execute by descriptor": lambda: os.execve(script, ["script"], {}),
            "loader": lambda: os.execv(loader, [loader, "/tmp/libm.so"]),
            "load": lambda: ctypes.CDLL("/tmp/libm.so"),
            "map": lambda: mmap.mmap(script, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
        }
    )
