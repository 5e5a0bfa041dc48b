"""A short run of every fuzz target, and every input that was a finding once."""

import resource
import time
import warnings
from pathlib import Path
from random import Random

import pytest
from fuzz.mutate import STRUCTURED, mutate, mutate_value
from fuzz.seeds import SEEDS
from fuzz.targets import TARGETS

CASES = {"openqasm3": 300, "runtime_json": 400}
"""Of the slow ones; of the others `MANY`."""
MANY = 2_000
MAX_SECONDS = 10
"""For one input."""
CRASHES = Path(__file__).parent / "crashes"


@pytest.fixture(autouse=True)
def limited_memory():
    """What a small input must not take."""
    with Path("/proc/self/status").open() as status:
        (taken,) = [int(line.split()[1]) << 10 for line in status if line.startswith("VmSize:")]
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + (2 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def run(name: str, data: bytes, where: str) -> None:
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            TARGETS[name](data)
        except BaseException as error:
            error.add_note(f"{where}: {data[:500]!r}")
            raise
    assert time.monotonic() - start < MAX_SECONDS, f"{where}: {data[:500]!r}"


@pytest.mark.parametrize("name", TARGETS)
def test_target_reads_or_refuses_every_input(name):
    seeds = list(SEEDS[name]())
    for number, seed in enumerate(seeds):
        run(name, seed, f"seed {number}")
    for case in range(CASES.get(name, MANY)):
        random = Random(case)
        change = mutate_value if name in STRUCTURED and random.random() < 0.5 else mutate
        run(name, change(random.choice(seeds), seeds, random), f"case {case}")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        pytest.param(path.parent.name, path, id=f"{path.parent.name}/{path.name}")
        for path in CRASHES.glob("*/*")
    ],
)
def test_former_finding_is_read_or_refused(name, path):
    run(name, path.read_bytes(), path.name)
