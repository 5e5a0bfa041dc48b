"""``python -m aerlock.cli``: the ``aerlock`` command."""

from aerlock.cli import main

main()
