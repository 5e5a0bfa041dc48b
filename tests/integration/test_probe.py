"""The probe: what it finds on this machine, and what it says where something is missing."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from aerlock_executor.probe import probe

PRINT_REPORT = """
import asyncio, dataclasses, json
from aerlock_executor.probe import probe
print(json.dumps(dataclasses.asdict(asyncio.run(probe()))))
"""


def test_probe_as_ordinary_user_finds_the_full_tier(unprivileged_python):
    completed = unprivileged_python("-c", PRINT_REPORT)
    report = json.loads(completed.stdout)
    assert report["tier"] == "full", report
    assert all(check["ok"] for check in report["checks"])


def test_probe_without_bubblewrap_names_the_package(unprivileged_python):
    completed = unprivileged_python("-c", f"import os; os.environ['PATH'] = '/nonexistent'{PRINT_REPORT}")
    report = json.loads(completed.stdout)
    assert report["tier"] == "none"
    assert report["checks"][-1]["name"] == "bubblewrap"
    assert "apt install bubblewrap" in report["checks"][-1]["cure"]


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
