"""Fuzzes one target under atheris, which keeps what reaches new code: ``python guided.py TARGET ARGUMENTS``.

The arguments are libFuzzer's. Run by run.py, in a process of its own.
"""

import resource
import sys
from pathlib import Path
from random import Random

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

MAX_ADDRESS_SPACE = 4 << 30
"""What takes more is a finding; Python, Qiskit and Aer take one of them."""

with atheris.instrument_imports(include=["aerlock", "aerlock_executor.cell"]):
    from fuzz.mutate import STRUCTURED, mutate_value
    from fuzz.seeds import SEEDS
    from fuzz.targets import TARGETS


def main() -> None:
    name = sys.argv[1]
    seeds = list(SEEDS[name]())

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.5:
            return bytes(atheris.Mutate(data, max_size))
        return mutate_value(data, seeds, random)[:max_size]

    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_SPACE, MAX_ADDRESS_SPACE))
    options = {"custom_mutator": mutate} if name in STRUCTURED else {}
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[name], **options)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
