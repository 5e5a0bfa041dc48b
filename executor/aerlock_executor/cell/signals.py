"""What a cell is told by signals, and how a program is kept from them when it is done."""

import signal
from typing import Final

FOR_PROGRAM: Final = frozenset({signal.SIGINT, signal.SIGTERM})
"""Stub and init pass these on to the program, which may do with them what it likes."""
END_CELL: Final = signal.SIGUSR1
"""Has stub and init end the cell, whatever the program is doing."""


def ignore_handled() -> None:
    """Ignores every signal that has a handler in Python, so that none breaks into what follows."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_IGN)
