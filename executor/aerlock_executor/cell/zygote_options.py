"""What the supervisor tells a zygote when it starts it."""

import json
from dataclasses import dataclass
from typing import Final

from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cell.tiers import Tier

CELL_PROTOCOL: Final = 3
"""Counts changes of what executor and cells say: `ZygoteOptions`, the control socket, cell.proto."""


@dataclass(frozen=True)
class ZygoteOptions:
    """The options on the zygote's command line, as JSON.

    ``kept_roots`` are what a cell can read: in the full tier the interpreter's
    directories, which private mounts must not hide, in the reduced one all that there is.
    """

    control_fd: int
    limits: CellLimits
    kept_roots: tuple[str, ...]
    tier: Tier = Tier.FULL

    def to_json(self) -> str:
        """The text for the command line."""
        fields = {
            "control": self.control_fd,
            "limits": vars(self.limits),
            "roots": self.kept_roots,
            "tier": self.tier,
        }
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> "ZygoteOptions":
        """Reads what `to_json` wrote."""
        fields = json.loads(text)
        return cls(
            fields["control"],
            CellLimits(**fields["limits"]),
            tuple(fields["roots"]),
            Tier(fields["tier"]),
        )
