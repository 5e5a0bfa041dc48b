"""``python -m aerlock_executor serve|doctor``."""

import asyncio
import json
import sys
from dataclasses import asdict

from aerlock.server_process import run
from aerlock_executor.probe import probe
from aerlock_executor.server import serve
from aerlock_executor.settings import ExecutorSettings

PROGRAM = "aerlock executor"


def main() -> int:
    """Runs one of the executor's commands; returns its exit status."""
    command, *arguments = sys.argv[1:] or ["serve"]
    if command == "serve":
        return run(PROGRAM, serve(ExecutorSettings.from_command_line(arguments, PROGRAM)))
    if command == "doctor":
        settings = ExecutorSettings.from_command_line(arguments, "aerlock doctor")
        report = asyncio.run(probe(settings.tier, settings.environments))
        print(json.dumps(asdict(report)))
        return 0 if report.works else 1
    print(f"{PROGRAM}: unknown command {command!r}; there are serve and doctor", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
