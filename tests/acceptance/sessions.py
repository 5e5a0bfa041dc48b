"""Runs Python sessions of the documentation as a user would."""

import subprocess
import sys
from collections.abc import Mapping


def run_session(session: str, environment: Mapping[str, str]) -> list[str]:
    """The lines that a session prints; fails where it does."""
    result = subprocess.run(
        [sys.executable, "-c", session],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()
