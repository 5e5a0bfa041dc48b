"""A short run of ``make chaos``, as a process of its own: it adopts orphans and has its own mounts."""

import subprocess
import sys
from pathlib import Path

SECONDS = 8
SEED = 7


def test_nothing_is_lost_whatever_is_killed():
    flags = ["--seconds", str(SECONDS), "--seed", str(SEED), "--pause", "0.5"]
    result = subprocess.run(
        [sys.executable, "-m", "chaos.run", *flags],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "losses: 0" in result.stdout
