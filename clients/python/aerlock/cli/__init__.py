"""The ``aerlock`` command."""

import sys


def main() -> None:
    """Runs the command line; without the extra that it needs, says how to install it."""
    try:
        from aerlock.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit("The aerlock command needs an extra: pip install 'aerlock[cli]' or 'aerlock[server]'")
    app()
