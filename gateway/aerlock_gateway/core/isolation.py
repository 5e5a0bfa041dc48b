"""What an executor must offer to be used, and what is weaker here than it could be."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aerlock_executor.v1.executor_pb2 import GetExecutorInfoResponse

FULL: Final = "full"
NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class Isolation:
    """Whether this machine alone reaches the gateway, and whether its executor is on another one."""

    is_local: bool
    is_remote: bool

    def refusal(self, tier: str) -> str:
        """Says why an executor of this tier is not used; empty where it may be."""
        if tier != NONE or self.is_local:
            return ""
        return (
            "the gateway does not use its executor, which isolates no programs (tier none), while it listens"
            " beyond this machine: start the executor without insecure_no_sandbox, or listen on unix sockets"
            " and loopback alone"
        )

    def is_separate(self, executor: GetExecutorInfoResponse) -> bool:
        """Whether the executor runs under another uid than the gateway, or on another machine."""
        return self.is_remote or executor.uid != os.geteuid()

    def weaknesses(self, executor: GetExecutorInfoResponse) -> Iterator[str]:
        """Yields a sentence for each: what the executor says of itself, and what both servers show."""
        yield from executor.weaknesses
        if not self.is_separate(executor):
            yield (
                "Gateway and executor run under one uid, so a program that gets out of its cell can read the"
                " gateway's database: start `aerlock up` as root, which gives each its own."
            )
