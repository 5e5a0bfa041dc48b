"""Runs a command under a seccomp profile in Docker's form, as a container's runtime installs it.

``docker_filter.py PROFILE WITHOUT COMMAND``: without the names in WITHOUT, and with clone
for them refused the namespaces, the profile is what Docker takes by default.
"""

import errno
import json
import os
import sys
from pathlib import Path

from aerlock_executor.cell import linux
from aerlock_executor.cell.seccomp import ALLOW, Check, Rule, assemble, fails, machine

_REFUSED = fails(errno.EPERM)
_CLONE_NAMESPACES = 0x7E020000


def rules(profile: dict, without: set[str]) -> list[Rule]:
    """The rules of a profile; several entries of a name hold when one of them does."""
    found: list[Rule] = []
    equal: dict[str, tuple[int, tuple[int, ...]]] = {}
    for entry in profile["syscalls"]:
        action = ALLOW if entry["action"] == "SCMP_ACT_ALLOW" else fails(entry["errnoRet"])
        for name in set(entry["names"]) - without:
            match entry.get("args", []):
                case []:
                    found.append(Rule(name, action))
                case [{"op": "SCMP_CMP_NE", "index": index, "value": value}]:
                    found.append(Rule(name, _REFUSED, (Check(index, (value,)),), action))
                case [{"op": "SCMP_CMP_EQ", "index": index, "value": value}]:
                    equal[name] = (index, (*equal.get(name, (index, ()))[1], value))
    found += [Rule(name, ALLOW, (Check(*check),), _REFUSED) for name, check in equal.items()]
    if "clone" in without:
        found.append(Rule("clone", ALLOW, (Check(0, (0,), mask=_CLONE_NAMESPACES),), _REFUSED))
    return found


def main() -> None:
    profile = json.loads(Path(sys.argv[1]).read_text())
    without = set(filter(None, sys.argv[2].split(",")))
    linux.install_seccomp(assemble(rules(profile, without), _REFUSED, machine()))
    os.execv(sys.argv[3], sys.argv[3:])


if __name__ == "__main__":
    main()
