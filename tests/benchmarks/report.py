"""What a measurement gives: a row of the table, and the figures behind it."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    ratio: float
    better: str
    target: float

    @property
    def ok(self) -> bool:
        return self.ratio >= self.target if self.better == "higher" else self.ratio <= self.target


def median(values: list[float]) -> float:
    return statistics.median(values)


def ms(seconds: list[float]) -> str:
    return f"{median(seconds) * 1000:.1f} ms"


def report(name: str, text: str) -> None:
    print(f"  {name}: {text}", flush=True)


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def compare(name: str, ours: Callable[[], object], bare: Callable[[], object], rounds: int) -> float:
    """Runs both in turn, reports their medians and returns the ratio."""
    pairs = [(seconds(ours), seconds(bare)) for _ in range(rounds)]
    mine, others = [one for one, _ in pairs], [other for _, other in pairs]
    report(name, f"{ms(mine)} against {ms(others)}")
    return median(mine) / median(others)
