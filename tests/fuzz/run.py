"""Fuzzes every target for a stated number of cases, and prints what was run and found: ``make fuzz``.

Exits with 1 if there is a finding. Its input is kept in build/fuzz; a mended one
belongs into tests/fuzz/crashes/TARGET, from where the ordinary tests replay it.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from fuzz.seeds import SEEDS  # noqa: E402

BUILD = FOLDER.parent.parent / "build" / "fuzz"
MAX_INPUT_BYTES = 16_384
MAX_SECONDS = 20
"""For one input; more is a finding."""
MAX_MEMORY_MB = 2_500
"""For the whole process; more is a finding."""
PROPERTIES = "properties"


@dataclass(frozen=True)
class Report:
    """How the fuzzing of one target went."""

    name: str
    cases: str
    coverage: str
    seconds: float
    finding: str


def main() -> int:
    """Runs the targets that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="inputs for each target")
    parser.add_argument("targets", nargs="*", choices=[[], *SEEDS, PROPERTIES])
    options = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not there for this machine: inputs are mutated without a guide.")
    print(f"{'target':<14}{'cases':>9}  {'coverage':<28}{'seconds':>8}  finding")
    findings = 0
    for report in run_all(options.targets or [*SEEDS, PROPERTIES], options.cases):
        findings += bool(report.finding)
        print(
            f"{report.name:<14}{report.cases:>9}  {report.coverage:<28}{report.seconds:>8.1f}"
            f"  {report.finding or 'none'}",
            flush=True,
        )
    return 1 if findings else 0


def run_all(names: list[str], cases: int) -> Iterator[Report]:
    """Runs one target after the other."""
    for name in names:
        start = time.monotonic()
        run = run_properties if name == PROPERTIES else run_target
        count, coverage, finding = run(name, cases)
        yield Report(name, count, coverage, time.monotonic() - start, finding)


def run_target(name: str, cases: int) -> tuple[str, str, str]:
    """Fuzzes one target with bytes; gives the number of cases, the coverage and the finding."""
    script = "guided.py" if importlib.util.find_spec("atheris") else "unguided.py"
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS[name]()):
            (Path(corpus) / f"{number:04}").write_bytes(seed)
        log, code = run_logged(
            name,
            [
                *(str(FOLDER / script), name, corpus, f"-runs={cases}", f"-max_len={MAX_INPUT_BYTES}"),
                *(f"-timeout={MAX_SECONDS}", f"-rss_limit_mb={MAX_MEMORY_MB}", "-print_final_stats=1"),
                f"-artifact_prefix={BUILD}/{name}-",
            ],
        )
    counts = re.findall(r"number_of_executed_units: (\d+)", log) or re.findall(r"^#(\d+)", log, re.MULTILINE)
    coverage = re.findall(r"cov: (\d+) ft: \d+ corp: (\d+)", log)
    shown = f"{coverage[-1][0]} branches, {coverage[-1][1]} inputs" if coverage else "-"
    return (counts[-1] if counts else "0"), shown, finding_in(name, log, code)


def finding_in(name: str, log: str, code: int) -> str:
    """What a log says was found; empty where nothing was."""
    if not code:
        return ""
    reason = re.findall(r"^(?:\w[\w.]*(?:Error|Exception): .*|==\d+== ?ERROR: .*)$", log, re.MULTILINE)
    written = re.findall(r"Test unit written to (\S+)", log)
    return " ".join([*reason[:1], *written[-1:], f"(exit code {code}, log {BUILD / name}.log)"])[:400]


def run_properties(name: str, cases: int) -> tuple[str, str, str]:
    """Runs hypothesis on objects and Values, in both directions."""
    tests = FOLDER / "test_properties.py"
    log, code = run_logged(
        name,
        ["-m", "pytest", str(tests), "--hypothesis-show-statistics", "--timeout=0", "-p", "no:cacheprovider"],
        {"FUZZ_CASES": str(-(-cases // count_of_properties()))},
    )
    passed = [int(count) for count in re.findall(r"(\d+) passing", log)]
    shown = f"{len(re.findall('during generate phase', log))} properties"
    return str(sum(passed)), shown, f"see {BUILD / name}.log" if code else ""


def count_of_properties() -> int:
    """How many there are: they share the cases."""
    return (FOLDER / "test_properties.py").read_text().count("\n@given(")


def run_logged(name: str, arguments: list[str], more: dict[str, str] | None = None) -> tuple[str, int]:
    """Runs Python with its output in a file; returns that output and the exit code."""
    path = BUILD / f"{name}.log"
    with path.open("wb") as log:
        code = subprocess.run(
            [sys.executable, *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | (more or {}),
            cwd=FOLDER.parent.parent,
            check=False,
        ).returncode
    return path.read_text(errors="replace"), code


if __name__ == "__main__":
    sys.exit(main())
