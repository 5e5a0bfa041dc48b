"""``python -m aerlock_gateway serve|bootstrap``."""

import asyncio
import logging
import os
import sys

from aerlock_gateway.server import StartError, bootstrap, serve
from aerlock_gateway.settings import GatewaySettings

_COMMANDS = ("serve", "bootstrap")


def main() -> int:
    """Runs one of the gateway's commands; returns its exit status."""
    arguments = sys.argv[1:]
    command = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "serve"
    if command not in _COMMANDS:
        return _fail(f"unknown command {command!r}; there are {' and '.join(_COMMANDS)}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = GatewaySettings.from_command_line(arguments, "aerlock gateway")
    if os.geteuid() == 0:
        return _fail(
            "the gateway does not run as root. Start it by `aerlock gateway`, which drops privileges"
        )
    # What the gateway writes is its own; sockets get their mode where they are made.
    os.umask(0o077)
    try:
        if command == "bootstrap":
            print(asyncio.run(bootstrap(settings, sys.stdin.readline().strip())))
        else:
            asyncio.run(serve(settings))
    except StartError as error:
        return _fail(str(error))
    return 0


def _fail(sentence: str) -> int:
    print(f"aerlock gateway: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
