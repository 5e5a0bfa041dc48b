"""The probe: what it finds on this machine, and what it says where something is missing."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from aerlock_executor.cell.tiers import Tier
from aerlock_executor.probe import probe

PRINT_REPORT = """
import asyncio, dataclasses, json
from pathlib import Path
from aerlock_executor.cell.tiers import Tier
from aerlock_executor.probe import probe
print(json.dumps(dataclasses.asdict(asyncio.run(probe({arguments})))))
"""


@pytest.fixture
def report(unprivileged_python):
    """Probes as the executor's uid, after the statements given, and returns the report."""

    def run(arguments="", before=""):
        completed = unprivileged_python("-c", before + PRINT_REPORT.format(arguments=arguments))
        assert completed.stdout, completed.stderr
        return json.loads(completed.stdout)

    return run


@pytest.mark.parametrize("tier", list(Tier))
def test_probe_as_ordinary_user_finds_every_tier(report, tier):
    found = report(f"Tier({str(tier)!r})")
    assert (found["tier"], found["works"]) == (tier, True), found
    assert all(check["ok"] for check in found["checks"])
    assert any("tier is" in sentence for sentence in found["weaknesses"]) == (tier is not Tier.FULL)


def test_probe_without_bubblewrap_names_the_package_and_what_else_there_is(report):
    found = report(before="import os; os.environ['PATH'] = '/nonexistent'")
    assert (found["tier"], found["works"]) == ("none", False)
    assert found["checks"][-1]["name"] == "bubblewrap"
    assert "apt install bubblewrap" in found["checks"][-1]["cure"]
    assert "--sandbox landlock" in found["weaker"]
    assert "gives up" in found["weaker"]


def test_probe_of_an_environment_that_is_none_fails_by_its_name(report):
    found = report("environments={'gone': Path('/nonexistent/python')}")
    assert (found["tier"], found["works"]) == ("full", False)
    assert found["checks"][-1]["name"] == "environment gone"
    assert "/nonexistent/python" in found["checks"][-1]["cure"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused as root")
def test_probe_as_root_refuses_and_says_what_to_do():
    report = asyncio.run(probe())
    assert report.tier == "none"
    assert "ordinary user" in report.checks[-1].cure


def test_sandbox_sees_no_file_of_the_host_but_its_libraries(unprivileged_python):
    list_root = (
        "import asyncio\n"
        "from aerlock_executor.bubblewrap import command, find_bubblewrap\n"
        "from aerlock_executor.interpreter import Interpreter\n"
        "from aerlock_executor.probe import _LIMITS, _run\n"
        'code = \'import os; print(*sorted(os.listdir("/etc")), os.path.exists("/usr/bin/env"))\'\n'
        "print(asyncio.run(_run(command(find_bubblewrap(), _LIMITS, ('-c', code), Interpreter.own())))[1])"
    )
    completed = unprivileged_python("-c", list_root)
    expected = "ld.so.cache False" if Path("/etc/ld.so.cache").exists() else "False"
    assert completed.stdout.strip() == expected, completed.stderr
