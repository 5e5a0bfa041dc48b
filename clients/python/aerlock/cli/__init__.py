"""The ``aerlock`` command."""

import sys
from typing import Final

_INTERRUPTED: Final = 130


def main() -> None:
    """Runs the command line; without the extra that it needs, says how to install it."""
    try:
        from aerlock.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit("The aerlock command needs an extra: pip install 'aerlock[cli]' or 'aerlock[server]'")
    except KeyboardInterrupt:  # Ctrl-C while it is still loading
        sys.exit(_INTERRUPTED)
    app()
