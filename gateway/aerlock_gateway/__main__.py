"""``python -m aerlock_gateway serve|bootstrap``."""

import sys

from aerlock.server_process import run
from aerlock_gateway.server import bootstrap, serve
from aerlock_gateway.settings import GatewaySettings

PROGRAM = "aerlock gateway"


def main() -> int:
    """Runs one of the gateway's commands; returns its exit status."""
    command, *arguments = sys.argv[1:] or ["serve"]
    settings = GatewaySettings.from_command_line(arguments, PROGRAM)
    if command == "serve":
        return run(PROGRAM, serve(settings))
    if command == "bootstrap":
        return run(PROGRAM, bootstrap(settings, sys.stdin.readline().strip()))
    print(f"{PROGRAM}: unknown command {command!r}; there are serve and bootstrap", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
