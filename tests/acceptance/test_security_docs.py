"""SECURITY.md: each promise names tests that exist, and no attack goes without a promise."""

import re
from pathlib import Path

import pytest
from security.expectations import EXPECTATIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()
TESTS = list((ROOT / "tests").rglob("test_*.py"))
FUNCTIONS = {
    name
    for path in TESTS
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
ATTACKS = {name.split("_")[0] for name in EXPECTATIONS}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its two lines of headings."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def named(row: list[str]) -> list[str]:
    """What the last cell of a row names."""
    return re.findall(r"`([^`]+)`", row[-1])


def exists(name: str) -> bool:
    if name.startswith("tests/"):
        return (ROOT / name).is_file()
    if name.endswith(".py"):
        return any(path.name == name for path in TESTS)
    if name.startswith("make "):
        return name.removeprefix("make ") in TARGETS
    return name in FUNCTIONS or name in ATTACKS


@pytest.mark.parametrize("heading", ["What is promised", "What is not promised"])
def test_every_test_that_security_names_exists(heading):
    assert [name for row in rows(heading) for name in named(row) if not exists(name)] == []


def test_every_promise_and_non_promise_names_its_test():
    promises = rows("What is promised")
    assert len(promises) > 20
    assert [row[0] for row in (*promises, *rows("What is not promised")) if not named(row)] == []
    assert all(len(row) == 3 for row in (*promises, *rows("What is not promised")))


def test_every_attack_is_against_a_promise():
    assert {name for row in rows("What is promised") for name in named(row)} >= ATTACKS
