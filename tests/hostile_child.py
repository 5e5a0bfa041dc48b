"""Reads hostile circuits in a process of its own, with little memory, and tells how each ended.

Prints a line for each: its name, how long it took in seconds, by how many
kibibytes the process grew, and how it ended, as JSON. A line that is missing
tells that the process ended.
"""

import json
import resource
import signal
import sys
import time

from hostile_circuits import hostile_circuits

from aerlock.codec.qpy import read_circuit

MAX_SECONDS = 20


def main() -> None:
    circuits = hostile_circuits()
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        taken = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30), taken + (1 << 30)))
    for name, circuit in circuits.items():
        print(name, end="\t", flush=True)
        signal.alarm(MAX_SECONDS)
        start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            ended = f"made {read_circuit(circuit)!r}"
        except BaseException as error:
            ended = f"{type(error).__name__}: {error}"[:300]
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(json.dumps([time.monotonic() - start, grown, ended]), flush=True)


if __name__ == "__main__":
    sys.exit(main())
