"""``python -m aerlock_executor serve|doctor``."""

import asyncio
import json
import logging
import os
import sys
from dataclasses import asdict

from aerlock_executor.probe import probe
from aerlock_executor.server import StartError, serve
from aerlock_executor.settings import ExecutorSettings


def main() -> int:
    """Runs one of the executor's commands; returns its exit status."""
    command, *arguments = sys.argv[1:] or ["serve"]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if command == "doctor":
        report = asyncio.run(probe())
        print(json.dumps(asdict(report)))
        return 0 if report.tier == "full" else 1
    if command != "serve":
        return _fail(f"unknown command {command!r}; there are serve and doctor")
    settings = ExecutorSettings.from_command_line(arguments, "aerlock executor")
    if os.geteuid() == 0:
        return _fail("root is refused: limits would not hold. Start `aerlock executor`, which drops")
    try:
        asyncio.run(serve(settings))
    except StartError as error:
        return _fail(str(error))
    return 0


def _fail(sentence: str) -> int:
    print(f"aerlock executor: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
