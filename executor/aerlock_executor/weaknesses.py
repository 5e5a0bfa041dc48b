"""What is weaker in an executor than it could be, in sentences for people."""

from collections.abc import Collection, Iterator
from typing import Final

from aerlock_executor.cell.tiers import Tier

_CONTROLLERS: Final = ("cpu", "memory", "pids")
_SHARES: Final = " A job of many threads takes a larger share of the cores."
_OF_TIERS: Final = {
    Tier.FULL: (),
    Tier.REDUCED: (
        "The tier is reduced: programs have no namespaces of their own. They see which processes there are,"
        " the host's name, and the names, sizes and times of files that the executor's user can see; a hole"
        " in the kernel's system calls leads to that user's files and processes.",
    ),
    Tier.NONE: (
        "The tier is none: nothing isolates programs. They can do all that the executor's user can do, to"
        " other jobs, to the servers and to the network.",
    ),
}


def weaknesses(tier: Tier, controllers: Collection[str]) -> Iterator[str]:
    """Yields a sentence for each; ``controllers`` are those of the cells' control groups."""
    yield from _OF_TIERS[tier]
    missing = [name for name in _CONTROLLERS if name not in controllers]
    if missing:
        yield (
            f"Cells have no control group for {', '.join(missing)}: limits of their processes bound them"
            f" instead, with more slack.{_SHARES if 'cpu' in missing else ''}"
        )
    if "pids" in missing and tier is not Tier.FULL:
        yield (
            "The number of threads is bounded for the executor's user as a whole: a job that takes all of"
            " them leaves none to the others."
        )


WEAKER: Final = {
    Tier.FULL: (
        "`--sandbox landlock` is the next weaker tier, reduced, which needs no namespaces but Linux 6.12. It"
        " gives up that programs have a root directory, process ids and a network of their own, and their"
        " /tmp: Landlock and a system call filter alone keep them from the files and processes of the"
        " executor's user."
    ),
    Tier.REDUCED: (
        "`--insecure-no-sandbox` is all that is left, for programs of your own on this machine: it isolates"
        " nothing."
    ),
}
"""By tier, what there is where it does not work, and what that gives up. None is taken unasked."""
