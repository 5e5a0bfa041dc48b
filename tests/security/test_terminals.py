"""What an attacker names and raises reaches the terminal of whoever looks at it as text."""

import json
import subprocess
import sys

import pytest

from aerlock import InputValueError

COMMANDS = "\x1b]0;mine\x07\x9b2J\u202e\nanother row"
TAG = "\u202eenim"  # which is printed backwards
RAISE = f"""
def main(backend, user_messenger):
    print({COMMANDS!r})
    raise ValueError({COMMANDS!r})
"""


def printed(arena, *arguments: str) -> str:
    """What a command of an admin prints."""
    command = [sys.executable, "-m", "aerlock.cli", *arguments]
    environment = {**arena.runtime.environment, "COLUMNS": "500"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_terminal_of_an_admin_obeys_nothing_of_a_job(arena):
    service = arena.attacker.service
    options = {"backend_name": "aer_simulator", "job_tags": [COMMANDS]}
    with pytest.raises(InputValueError, match="leave control characters out"):
        service.run(program_id="hello-world", options=options)
    options["job_tags"] = [TAG]
    job = service.run(program_id=arena.attacker.upload("raise", RAISE), options=options)
    job.wait_for_final_state(60)

    lines = printed(arena, "jobs", "--all-accounts", "--limit", "1").splitlines()
    assert len(lines) == 2
    assert lines[1].isprintable()
    assert r"\u202eenim" in lines[1]
    for_people = printed(arena, "job", "show", job.job_id())
    assert all(line.isprintable() for line in for_people.split("\n"))
    assert for_people.count(r"\u001b]0;mine\u0007") == 2  # message, traceback
    shown = printed(arena, "job", "show", job.job_id(), "--json")
    assert all(line.isprintable() for line in shown.split("\n"))
    assert json.loads(shown)["tags"] == [TAG]
    assert COMMANDS in json.loads(shown)["failure"]["message"]


def test_logs_of_a_job_are_printed_as_they_are(arena):
    job = arena.attacker.start(arena.attacker.upload("raise", RAISE))
    job.wait_for_final_state(60)
    assert COMMANDS in printed(arena, "job", "logs", job.job_id())
