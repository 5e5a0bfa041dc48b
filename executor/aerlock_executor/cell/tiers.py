"""The tiers of isolation: what stands between a program and the machine."""

from enum import StrEnum


class Tier(StrEnum):
    """One of them holds for every cell of an executor; none is ever taken in place of another."""

    FULL = "full"
    """Namespaces within bubblewrap, no capabilities, seccomp, resource limits."""
    REDUCED = "reduced"
    """Landlock, a stricter seccomp filter, resource limits: for machines without user namespaces."""
    NONE = "none"
    """Resource limits alone: for programs of one's own."""
