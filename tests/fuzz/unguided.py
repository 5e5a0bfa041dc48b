"""Fuzzes one target where atheris is not there: takes the arguments of guided.py, and those that it needs."""

import faulthandler
import resource
import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.mutate import STRUCTURED, mutate, mutate_value
from fuzz.targets import TARGETS


def main() -> None:
    """Runs the seeds, then mutations of them."""
    name, corpus = sys.argv[1], Path(sys.argv[2])
    options = dict(argument.lstrip("-").split("=", 1) for argument in sys.argv[3:])
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    seeds = [path.read_bytes() for path in sorted(corpus.iterdir())]
    random = Random()
    for case in range(int(options["runs"])):
        data = seeds[case] if case < len(seeds) else change(name, seeds, random)[: int(options["max_len"])]
        # Whatever ends the process leaves its input behind.
        path = Path(f"{options['artifact_prefix']}last")
        path.write_bytes(data)
        faulthandler.dump_traceback_later(int(options["timeout"]), exit=True)
        try:
            TARGETS[name](data)
        except BaseException:
            print(f"#{case}\nTest unit written to {path}", flush=True)
            raise
    print(f"stat::number_of_executed_units: {options['runs']}")


def change(name: str, seeds: list[bytes], random: Random) -> bytes:
    """A seed with a few changes."""
    by_value = name in STRUCTURED and random.random() < 0.5
    return (mutate_value if by_value else mutate)(random.choice(seeds), seeds, random)


if __name__ == "__main__":
    main()
